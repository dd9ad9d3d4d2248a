package worker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "w")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestSocketDirRemovesOnlyStaleFolders(t *testing.T) {
	parent := shortDir(t)
	first, err := newSocketDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(parent, socketDirPrefix+"123")
	if err := errors.Join(os.Mkdir(stale, 0o700), os.WriteFile(filepath.Join(stale, "socket"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	second, err := newSocketDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{first.path: true, second.path: true, stale: false} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s exists: %v; want %v", dir, err == nil, want)
		}
	}
	for _, d := range []*socketDir{first, second} {
		if err := d.remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := first.use(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a folder that was removed for good can be used: %v", err)
	}
	if _, err := newSocketDir(filepath.Join(parent, strings.Repeat("long", 30))); err == nil {
		t.Error("a path that is too long for sockets was accepted")
	}
}

// systemd-tmpfiles skips folders whose lock it does not get.
func TestSocketDirIsLockedAgainstCleaning(t *testing.T) {
	d, err := newSocketDir(shortDir(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.remove() }()
	f, err := os.Open(d.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("another program locks the folder: %v", err)
	}
}

func TestSocketDirIsMadeAgain(t *testing.T) {
	for name, damage := range map[string]func(d *socketDir) error{
		"removed":                 func(d *socketDir) error { return os.RemoveAll(d.path) },
		"removed with its parent": func(d *socketDir) error { return os.RemoveAll(d.parent) },
		"replaced":                func(d *socketDir) error { return errors.Join(os.Rename(d.path, d.path+"x"), os.Mkdir(d.path, 0o777)) },
		"renamed":                 func(d *socketDir) error { return os.Rename(d.path, d.path+"x") },
	} {
		t.Run(name, func(t *testing.T) {
			d, err := newSocketDir(shortDir(t))
			if err != nil {
				t.Fatal(err)
			}
			before := d.path
			if same, err := d.use(); err != nil || same != before {
				t.Errorf("an intact folder became %s, %v", same, err)
			}
			if err := damage(d); err != nil {
				t.Fatal(err)
			}
			path, err := d.use()
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 || path == before {
				t.Errorf("%s became %s: %v, %v", before, path, info, err)
			}
			if err := d.remove(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("the new folder is left")
			}
		})
	}
}

func TestSocketDirPrefersTheRuntimeDirectory(t *testing.T) {
	service, session, temporary := shortDir(t), shortDir(t), shortDir(t)
	t.Setenv("RUNTIME_DIRECTORY", service+":/run/other")
	t.Setenv("XDG_RUNTIME_DIR", session)
	t.Setenv("TMPDIR", temporary)
	d, err := newSocketDir("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.remove() }()
	for _, parent := range []string{service, session, temporary, temporary} {
		path, err := d.use()
		if err != nil || filepath.Dir(path) != parent {
			t.Errorf("the folder is %s, %v; want it below %s", path, err, parent)
		}
		// The folder goes with its parent. The temporary directory is made again.
		if err := os.RemoveAll(parent); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Mkdir(service, 0o700), os.Chown(service, 12345, 12345)); err != nil {
			t.Fatal(err)
		}
		if path, err := d.use(); err != nil || filepath.Dir(path) != temporary {
			t.Errorf("the folder is %s, %v; want it not below that of another user", path, err)
		}
	}
}
