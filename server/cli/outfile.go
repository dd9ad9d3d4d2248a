package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// writeFile calls write with a file that gets its name when write has returned without
// an error. Until then, a file that has the name stays as it is. What is no file, such as
// a pipe or a device, is written directly.
func writeFile(name string, write func(io.Writer) error) error {
	if resolved, err := filepath.EvalSymlinks(name); err == nil {
		name = resolved
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return writeSpecial(name, write)
	}
	file, err := renameio.NewPendingFile(name, renameio.WithPermissions(0o644))
	if err != nil {
		return usageError{fmt.Errorf("cannot write %s: %w", name, withoutPath(err))}
	}
	defer func() { _ = file.Cleanup() }() // does nothing once the file is in place
	if err := write(file); err != nil {
		return err
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, withoutPath(err))
	}
	return nil
}

// writeSpecial writes to a pipe or a device.
func writeSpecial(name string, write func(io.Writer) error) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return usageError{fmt.Errorf("cannot write %s: %w", name, withoutPath(err))}
	}
	if err := write(struct{ io.Writer }{file}); err != nil { // its beginning cannot be changed later
		_ = file.Close() // the first error says more
		return err
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, withoutPath(err))
	}
	return nil
}

// withoutPath returns the cause of a file error without its path, which is that of
// a temporary file.
func withoutPath(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
