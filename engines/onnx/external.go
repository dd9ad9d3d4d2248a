package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// checkExternal refuses files of weights outside the model's folder. ONNX Runtime up to
// 1.23 accepts names with "..", absolute names, links, and a name that means an address
// in memory.
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
			return errs.New(errs.ModelFileMissing, "the model %s needs the file %q in the same folder, which does not exist: fetch it too",
				filepath.Base(path), shorten(name)).WithCause(err)
		case err != nil:
			return errs.New(errs.ModelFileInvalid, "the model's file %s cannot be used: its weights are in %q, which is not a file in its folder",
				filepath.Base(path), shorten(name)).WithCause(err)
		}
	}
	return nil
}

// foldersOf returns the folders that may contain a model's weights: the model's folder
// and, if the model is a link as in the caches of hubs, the folder of its target.
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
		return errors.New("it is not in the model's folder")
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
		return errors.New("it is not a regular file")
	}
	for _, folder := range folders {
		if strings.HasPrefix(target, strings.TrimSuffix(folder, "/")+"/") {
			return nil
		}
	}
	return errors.New("it is a link to another folder")
}
