package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	socketDirPrefix = "mg-workers-"
	socketDirLock   = "modelgateway.lock"

	// longestSocketName is the length of what go-plugin appends: "/plugin-dir" and
	// "/plugin", each with a number of up to ten digits.
	longestSocketName = 40
	longestSocketPath = 107
)

// socketDir is a folder for the workers' sockets that only this user can enter. It
// contains a file that is locked while the server runs.
type socketDir struct {
	path string
	lock *os.File
}

// newSocketDir creates a folder below parent, and removes the folders of servers
// that were killed.
func newSocketDir(parent string) (*socketDir, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	if len(parent)+len(socketDirPrefix)+10+longestSocketName > longestSocketPath {
		return nil, fmt.Errorf("the path %s is too long for sockets below it; set TMPDIR to a shorter one", parent)
	}
	removeStaleDirs(parent)
	path, err := os.MkdirTemp(parent, socketDirPrefix) // mode 0700
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &socketDir{path: path, lock: lock}, nil
}

func (d *socketDir) remove() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}

// lockDir locks the file in a folder. It fails if another process has the lock.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, socketDirLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// removeStaleDirs removes folders whose lock is free. A folder without a lock file
// is kept: its server is about to create the file.
func removeStaleDirs(parent string) {
	locks, err := filepath.Glob(filepath.Join(parent, socketDirPrefix+"*", socketDirLock))
	if err != nil {
		return // the pattern is valid
	}
	for _, lock := range locks {
		dir := filepath.Dir(lock)
		var st unix.Stat_t
		if unix.Lstat(dir, &st) != nil || int(st.Uid) != os.Getuid() {
			continue
		}
		if f, err := lockDir(dir); err == nil {
			_ = os.RemoveAll(dir)
			_ = f.Close()
		}
	}
}
