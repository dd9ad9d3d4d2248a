package voicefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Files are the two files of a voice.
type Files struct {
	// Model is the path of the ONNX file, Config that of the JSON file beside it.
	Model, Config string
	// Name is the file name of Model, for messages.
	Name string
}

// modelSuffix ends the names of ONNX files. A description adds ".json" to it.
const modelSuffix = ".onnx"

// Find finds the files of a voice. path is its ONNX file, or a folder with exactly
// one. Find returns MODEL_FILE_MISSING and MODEL_FILE_INVALID errors.
func Find(path string) (Files, error) {
	info, err := os.Stat(path)
	name := filepath.Base(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Files{}, errs.New(errs.ModelFileMissing,
			"the voice %s does not exist: put its .onnx and .onnx.json files there, or correct the model's path in the configuration", name).WithCause(err)
	case err != nil:
		return Files{}, errs.New(errs.ModelFileInvalid, "the voice %s cannot be read: check its permissions", name).WithCause(err)
	case info.IsDir():
		return inFolder(path)
	}
	return Files{Model: path, Config: path + ".json", Name: name}, nil
}

func inFolder(path string) (Files, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return Files{}, errs.New(errs.ModelFileInvalid, "the folder %s cannot be read: check its permissions", filepath.Base(path)).WithCause(err)
	}
	var found []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), modelSuffix) && !entry.IsDir() {
			found = append(found, entry.Name())
		}
	}
	switch len(found) {
	case 1:
		return Find(filepath.Join(path, found[0]))
	case 0:
		return Files{}, errs.New(errs.ModelFileMissing, "the folder %s contains no voice (*%s): put its .onnx and .onnx.json files there", filepath.Base(path), modelSuffix)
	default:
		return Files{}, errs.New(errs.ModelFileInvalid,
			"the folder %s contains %d voices, such as %s: set the model's path to one of them", filepath.Base(path), len(found), found[0])
	}
}
