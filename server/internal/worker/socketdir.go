package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// socketDirPrefix is not that of earlier versions, whose folders have another
	// lock and would be taken for stale.
	socketDirPrefix = "mg-sockets-"
	// socketDirTries is how many folders are tried if other servers take new ones for
	// stale ones.
	socketDirTries = 10

	// longestSocketName is the length of what go-plugin appends: "/plugin-dir" and
	// "/plugin", each with a number of up to ten digits.
	longestSocketName = 40
	longestSocketPath = 107
)

// socketDir is a folder for the workers' sockets that only this user can enter. It
// is locked while the server runs: systemd-tmpfiles does not clean a locked folder,
// and other servers do not take it for that of a server that was killed. Other
// programs may still remove it, and use creates it again then.
type socketDir struct {
	parent string // "" if socketParents lists the candidates

	mu     sync.Mutex
	closed bool
	path   string
	lock   *os.File // the open folder; nil if there is none
}

// newSocketDir creates a folder below parent or, without one, below the first of
// socketParents that can be used.
func newSocketDir(parent string) (*socketDir, error) {
	d := &socketDir{parent: parent}
	_, err := d.use()
	return d, err
}

// use returns the path of the folder, which it creates if there is none.
func (d *socketDir) use() (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return "", os.ErrClosed
	case d.lock != nil && isAt(d.lock, d.path):
		return d.path, nil
	case d.lock != nil:
		_ = d.lock.Close() // it was only locked
		d.lock = nil
	}
	parents := []string{d.parent}
	if d.parent == "" {
		parents = socketParents()
	}
	var failed []error
	for _, parent := range parents {
		err := d.createBelow(parent)
		if err == nil {
			return d.path, nil
		}
		failed = append(failed, err)
	}
	return "", errors.Join(failed...)
}

// socketParents lists the folders in which the private one may be created, the best
// first. That of the service and that of the user's session last as long as those
// do; the temporary directory is cleaned by age.
func socketParents() []string {
	service, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	var parents []string
	for _, dir := range []string{service, os.Getenv("XDG_RUNTIME_DIR")} {
		var st unix.Stat_t // sudo keeps the variable of another user
		if filepath.IsAbs(dir) && unix.Stat(dir, &st) == nil && int(st.Uid) == os.Geteuid() {
			parents = append(parents, dir)
		}
	}
	return append(parents, os.TempDir())
}

// createBelow removes the folders of servers that were killed and creates a new one.
func (d *socketDir) createBelow(parent string) error {
	if len(parent)+len(socketDirPrefix)+10+longestSocketName > longestSocketPath {
		return fmt.Errorf("the path %s is too long for sockets below it; set TMPDIR to a shorter one", parent)
	}
	// The temporary directory may be gone too.
	if err := os.MkdirAll(parent, 0o777|fs.ModeSticky); err != nil {
		return err
	}
	removeStaleDirs(parent)
	for range socketDirTries {
		path, err := os.MkdirTemp(parent, socketDirPrefix) // mode 0700
		if err != nil {
			return err
		}
		lock, err := lockDir(path, unix.LOCK_SH)
		if err == nil {
			d.path, d.lock = path, lock
			return nil
		}
		removed := os.RemoveAll(path)
		if removed != nil || !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, removed)
		}
	}
	return fmt.Errorf("other programs remove each new folder below %s", parent)
}

func (d *socketDir) remove() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	return errors.Join(os.RemoveAll(d.path), err)
}

// lockDir opens and locks a folder of this user: how is LOCK_SH for its server and
// LOCK_EX for whoever removes it. A file system without locks has no stale folders
// removed.
func lockDir(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if how == unix.LOCK_SH && !errors.Is(err, unix.EWOULDBLOCK) {
		err = nil
	}
	if err == nil && !isAt(f, path) {
		err = fs.ErrNotExist // removed before it was locked
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// isAt reports whether an open file is the one that the path names.
func isAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}

// removeStaleDirs removes this user's folders that no server has locked.
func removeStaleDirs(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, socketDirPrefix+"*"))
	if err != nil {
		return // parent has characters of a pattern
	}
	for _, dir := range dirs {
		var st unix.Stat_t
		if unix.Lstat(dir, &st) != nil || int(st.Uid) != os.Geteuid() {
			continue
		}
		if f, err := lockDir(dir, unix.LOCK_EX); err == nil {
			_ = os.RemoveAll(dir)
			_ = f.Close()
		}
	}
}
