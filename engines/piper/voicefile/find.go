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
	// Model is the ONNX file, Config the JSON file beside it.
	Model, Config string
	// Name is the model's file name, for messages.
	Name string
}

// modelSuffix is the ending of voices' names; their descriptions add ".json".
const modelSuffix = ".onnx"

// Find finds a voice: path is its ONNX file, or a folder with exactly one.
// Errors are MODEL_FILE_MISSING and MODEL_FILE_INVALID.
func Find(path string) (Files, error) {
	info, err := os.Stat(path)
	name := filepath.Base(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Files{}, errs.New(errs.ModelFileMissing,
			"the voice %s is not there; put its .onnx and .onnx.json files there, or set its path in the configuration", name).WithCause(err)
	case err != nil:
		return Files{}, errs.New(errs.ModelFileInvalid, "the voice %s cannot be read; check its permissions", name).WithCause(err)
	case info.IsDir():
		return inFolder(path)
	}
	return Files{Model: path, Config: path + ".json", Name: name}, nil
}

func inFolder(path string) (Files, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return Files{}, errs.New(errs.ModelFileInvalid, "the folder %s cannot be read; check its permissions", filepath.Base(path)).WithCause(err)
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
		return Files{}, errs.New(errs.ModelFileMissing, "the folder %s holds no voice (*%s)", filepath.Base(path), modelSuffix)
	default:
		return Files{}, errs.New(errs.ModelFileInvalid,
			"the folder %s holds %d voices, %s among them; set the model's path to the one to use", filepath.Base(path), len(found), found[0])
	}
}
