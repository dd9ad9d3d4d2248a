package auth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// giveToOwner gives a file that is to replace path to the owner of path or, if that
// does not exist, of its directory. Root may change the keys of a server that runs as
// another user, which must be able to read them.
func giveToOwner(name, path string) error {
	if os.Geteuid() != 0 {
		return nil // only root can give files away
	}
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if errors.Is(err, fs.ErrNotExist) {
		err = unix.Stat(filepath.Dir(path), &st)
	}
	if err != nil {
		return err
	}
	return os.Lchown(name, int(st.Uid), int(st.Gid))
}
