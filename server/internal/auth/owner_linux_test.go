package auth

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestKeysFileKeepsItsOwner checks that root can change the keys of a server that runs
// as another user: a file that the server cannot read would leave a revoked key valid.
func TestKeysFileKeepsItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can change the owner of a file")
	}
	const server = 12345
	dir := t.TempDir()
	if err := os.Chown(dir, server, server); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "keys.yaml")
	check := func(when string) {
		t.Helper()
		for _, name := range []string{file, file + ".lock"} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if st := info.Sys().(*syscall.Stat_t); st.Uid != server || st.Gid != server || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s belongs to %d:%d and has the mode %v", when, name, st.Uid, st.Gid, info.Mode())
			}
		}
	}
	addKey(t, file, &Key{Name: "a", Roles: Roles()})
	check("a new file")
	if err := os.Chown(dir, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := RevokeKey(file, "a"); err != nil {
		t.Fatal(err)
	}
	check("a changed file")
}
