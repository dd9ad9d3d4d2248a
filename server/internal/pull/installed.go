package pull

import (
	"os"
	"path/filepath"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// Installed reports whether a model is complete in a models directory, and how many
// bytes of it exist. It compares sizes with the lock and does not read the files; a
// file that is not locked counts as complete.
func Installed(dir string, model catalog.Model) (complete bool, partBytes int64) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, 0
	}
	defer root.Close()
	locks := newLockFile()
	_ = locks.read(root) // a damaged lock counts as empty
	complete = true
	for _, f := range model.Files {
		local := filepath.FromSlash(f.Local)
		info, err := root.Stat(local)
		locked, known := locks.get(f.Local)
		switch {
		case err == nil && info.Mode().IsRegular() && (!known || info.Size() == locked.SizeBytes):
			partBytes += info.Size()
			continue
		case err != nil:
			partBytes += partOf(root, local)
		}
		complete = false
	}
	return complete, partBytes
}

// partOf returns how many bytes of a file were downloaded to its part.
func partOf(root *os.Root, local string) int64 {
	f, err := openRegular(root, stateName(local), os.O_RDONLY)
	if err != nil {
		return 0
	}
	defer f.Close()
	var s partState
	if decodeStrict(f, maxStateBytes, &s) != nil {
		return 0
	}
	return s.doneBytes()
}
