package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// checkExternal refuses weights that lie outside the model's folder. ONNX Runtime
// up to 1.23 follows names with "..", absolute names, links, and one that means
// an address in memory.
func checkExternal(path string, external []string) error {
	if len(external) == 0 {
		return nil
	}
	folders, err := foldersOf(path)
	if err != nil {
		return fileError(path, err)
	}
	for _, name := range external {
		switch err := checkWeights(path, name, folders); {
		case errors.Is(err, os.ErrNotExist):
			return errs.New(errs.ModelFileMissing, "the model %s keeps weights in a file %q beside it, which is not there; fetch it too",
				filepath.Base(path), clip(name)).WithCause(err)
		case err != nil:
			return errs.New(errs.ModelFileInvalid, "the model's file %s cannot be used: it keeps weights in %q, which is no file in its folder",
				filepath.Base(path), clip(name)).WithCause(err)
		}
	}
	return nil
}

// foldersOf returns the folders in which a model's weights may really lie: its
// own, and where links lead, that of the file linked to, as in hubs' caches.
func foldersOf(path string) ([]string, error) {
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	return []string{folder, filepath.Dir(target)}, nil
}

func checkWeights(path, name string, folders []string) error {
	if !filepath.IsLocal(name) {
		return errors.New("it is not beside the model")
	}
	target, err := filepath.EvalSymlinks(filepath.Join(filepath.Dir(path), name))
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no regular file")
	}
	for _, folder := range folders {
		if strings.HasPrefix(target, strings.TrimSuffix(folder, "/")+"/") {
			return nil
		}
	}
	return errors.New("a link leads out of the model's folder")
}
