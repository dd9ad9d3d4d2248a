package whisperimport

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// file is a file, or several that are read as one.
type file struct {
	parts []part
	size  int64
}

type part struct {
	reader io.ReaderAt
	closer io.Closer
	start  int64
	size   int64
}

const maxParts = 1000

// openParts opens a file, or its parts NAME.part1, NAME.part2 and so on. It
// returns nil if neither exists.
func openParts(folder fs.FS, name string) (*file, error) {
	f := &file{}
	err := f.add(folder, name)
	if err == nil {
		return f, nil
	}
	for i := 1; errors.Is(err, fs.ErrNotExist) && i <= maxParts; i++ {
		if partErr := f.add(folder, fmt.Sprintf("%s.part%d", name, i)); partErr != nil {
			if !errors.Is(partErr, fs.ErrNotExist) {
				err = partErr
			}
			break
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, f.Close())
	}
	if len(f.parts) == 0 {
		return nil, nil
	}
	return f, nil
}

func (f *file) add(folder fs.FS, name string) error {
	opened, err := folder.Open(name)
	if err != nil {
		return err
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	reader, ok := opened.(io.ReaderAt)
	if !ok || !info.Mode().IsRegular() {
		return errors.Join(formatError("%s is not a regular file", name), opened.Close())
	}
	f.parts = append(f.parts, part{reader: reader, closer: opened, start: f.size, size: info.Size()})
	f.size += info.Size()
	return nil
}

// ReadAt reads from the parts that contain the range.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	done := 0
	for _, part := range f.parts {
		at := offset + int64(done) - part.start
		if at < 0 || at >= part.size || done == len(p) {
			continue
		}
		want := p[done:min(int64(len(p)), int64(done)+part.size-at)]
		n, err := part.reader.ReadAt(want, at)
		done += n
		if n < len(want) {
			return done, err
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// Close closes all parts.
func (f *file) Close() error {
	var errs []error
	for _, part := range f.parts {
		errs = append(errs, part.closer.Close())
	}
	return errors.Join(errs...)
}
