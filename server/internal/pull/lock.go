package pull

import (
	stdbytes "bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Locked is what is known of a file that was pulled. Later pulls must get the
// same.
type Locked struct {
	// Source is its address on the hub.
	Source string `json:"source"`
	// Commit of the repository; empty if the hub did not say.
	Commit string `json:"commit,omitempty"`
	// SizeBytes and SHA256 are the file's.
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

// read replaces what is locked by what the directory says; none is empty.
func (l *lockFile) read(root *os.Root) error {
	f, err := openRegular(root, lockName, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return pathError(err, "%s cannot be read", lockName)
	}
	defer f.Close()
	read := newLockFile()
	if err := decodeStrict(f, maxLockBytes, read); err != nil {
		return damagedLock(err)
	}
	if read.Version != lockVersion {
		return damagedLock(fmt.Errorf("version %d is not known", read.Version))
	}
	for local, entry := range read.Files {
		if !filepath.IsLocal(filepath.FromSlash(local)) || !sha256Pattern.MatchString(entry.SHA256) || entry.SizeBytes <= 0 ||
			entry.Commit != "" && !sha1Pattern.MatchString(entry.Commit) {
			return damagedLock(fmt.Errorf("the entry %q is wrong", local))
		}
	}
	if read.Files != nil {
		*l = *read
	}
	return nil
}

func damagedLock(err error) error {
	return &Error{Kind: Path, Message: lockName + " is damaged: " + err.Error(), cause: err,
		Advice: "Put back the copy that you trust, or remove it; what is pulled then is locked anew."}
}

// put locks a file and writes the list.
func (l *lockFile) put(root *os.Root, local string, entry Locked) error {
	l.Files[local] = entry
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(root, lockName, append(text, '\n')); err != nil {
		return pathError(err, "%s cannot be written", lockName)
	}
	return nil
}

// openRegular opens a file in the root that is no link, pipe or folder.
func openRegular(root *os.Root, name string, flag int) (*os.File, error) {
	info, err := root.Lstat(name)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no plain file (%s)", name, info.Mode().Type())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return root.OpenFile(name, flag, 0o644)
}

// replace writes a small file whole: it is there as before, or as given.
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

// syncDir makes a rename last.
func syncDir(root *os.Root, name string) error {
	dir, err := root.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// decodeStrict reads one JSON value of at most so many bytes, without unknown
// keys.
func decodeStrict(r io.Reader, most int64, into any) error {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return err
	}
	if int64(len(text)) > most {
		return fmt.Errorf("more than %d bytes", most)
	}
	d := json.NewDecoder(stdbytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more after its end")
	}
	return nil
}
