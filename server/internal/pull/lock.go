package pull

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Locked describes a file that was pulled. Later pulls must get the same file.
type Locked struct {
	// Source is the URL on the hub.
	Source string `json:"source"`
	// Commit of the repository; empty if the hub did not report it.
	Commit string `json:"commit,omitempty"`
	// SizeBytes and SHA256 are the size and the checksum of the file.
	SizeBytes int64  `json:"size_bytes"`
	SHA256    string `json:"sha256"`
}

// lockFile is models.lock: the locked files by their path in the models
// directory.
type lockFile struct {
	Version int               `json:"version"`
	Files   map[string]Locked `json:"files"`
}

const (
	lockVersion  = 1
	maxLockBytes = 4 << 20
)

func newLockFile() *lockFile { return &lockFile{Version: lockVersion, Files: map[string]Locked{}} }

func (l *lockFile) get(local string) (Locked, bool) {
	entry, ok := l.Files[local]
	return entry, ok
}

// read reads models.lock. A missing file counts as empty.
func (l *lockFile) read(root *os.Root) error {
	f, err := openRegular(root, lockName, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return pathError(err, "cannot read %s", lockName)
	}
	defer f.Close()
	read := newLockFile()
	if err := decodeStrict(f, maxLockBytes, read); err != nil {
		return damagedLock(err)
	}
	if read.Version != lockVersion {
		return damagedLock(fmt.Errorf("unknown version %d", read.Version))
	}
	for local, entry := range read.Files {
		if !filepath.IsLocal(filepath.FromSlash(local)) || !sha256Pattern.MatchString(entry.SHA256) || entry.SizeBytes <= 0 ||
			entry.Commit != "" && !sha1Pattern.MatchString(entry.Commit) {
			return damagedLock(fmt.Errorf("invalid entry %q", local))
		}
	}
	if read.Files != nil {
		*l = *read
	}
	return nil
}

func damagedLock(err error) error {
	return &Error{Kind: Path, Message: lockName + " is damaged: " + err.Error(), cause: err,
		Advice: "Restore a copy that you trust, or delete the file: the next pull creates it again."}
}

// put locks a file and writes models.lock.
func (l *lockFile) put(root *os.Root, local string, entry Locked) error {
	l.Files[local] = entry
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(root, lockName, append(text, '\n')); err != nil {
		return pathError(err, "cannot write %s", lockName)
	}
	return nil
}

// openRegular opens a regular file in the root: not a link, a pipe or a directory.
func openRegular(root *os.Root, name string, flag int) (*os.File, error) {
	info, err := root.Lstat(name)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file (%s)", name, info.Mode().Type())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return root.OpenFile(name, flag, 0o644)
}

// replace writes a small file atomically.
func replace(root *os.Root, name string, text []byte) error {
	temporary := name + ".tmp"
	if err := root.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	return syncDir(root, name)
}

// syncDir makes a rename durable.
func syncDir(root *os.Root, name string) error {
	dir, err := root.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// decodeStrict reads one JSON value of at most the given number of bytes. Unknown
// keys are an error.
func decodeStrict(r io.Reader, most int64, into any) error {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return err
	}
	if int64(len(text)) > most {
		return fmt.Errorf("more than %d bytes", most)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("unexpected data after the JSON value")
	}
	return nil
}
