package hubert

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// files are the paths of a model's files. added, preprocessor and calibration are
// empty if there is no such file.
type files struct {
	model, vocabulary, lexicon       string
	added, preprocessor, calibration string
}

func (f files) name() string { return filepath.Base(f.model) }

// findFiles finds a model's files. The path is the .onnx file, or a folder like those
// of published models, with the .onnx file in it or in its subfolder onnx. file is
// the name of the .onnx file in a folder.
func findFiles(path, file string) (files, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return files{}, missing(filepath.Base(path), err)
	case err != nil:
		return files{}, errs.New(errs.ModelFileInvalid, "the model file %s cannot be read; check its permissions", filepath.Base(path)).WithCause(err)
	case !info.IsDir():
		dir, stem := filepath.Split(strings.TrimSuffix(path, ".onnx"))
		return files{
			model:        path,
			vocabulary:   firstOf(filepath.Join(dir, stem+".vocab.json"), filepath.Join(dir, "vocab.json")),
			lexicon:      firstOf(filepath.Join(dir, stem+".lexicon.txt"), filepath.Join(dir, "lexicon.txt")),
			added:        existing(filepath.Join(dir, "added_tokens.json")),
			preprocessor: existing(filepath.Join(dir, "preprocessor_config.json")),
			calibration:  existing(firstOf(filepath.Join(dir, stem+".calibration.json"), filepath.Join(dir, "calibration.json"))),
		}, nil
	}
	if !filepath.IsLocal(file) {
		return files{}, errs.New(errs.InvalidRequest, `parameter "file" must be the name of a file in the model's folder, not %q`, file).With("parameter", "file")
	}
	model := firstOf(filepath.Join(path, file), filepath.Join(path, "onnx", file))
	if existing(model) == "" {
		return files{}, missing(filepath.Join(filepath.Base(path), file), nil)
	}
	return files{
		model:        model,
		vocabulary:   firstOf(filepath.Join(path, "vocab.json"), filepath.Join(filepath.Dir(model), "vocab.json")),
		lexicon:      firstOf(filepath.Join(path, "lexicon.txt"), filepath.Join(filepath.Dir(model), "lexicon.txt")),
		added:        existing(filepath.Join(path, "added_tokens.json")),
		preprocessor: existing(filepath.Join(path, "preprocessor_config.json")),
		calibration:  existing(firstOf(filepath.Join(path, "calibration.json"), filepath.Join(filepath.Dir(model), "calibration.json"))),
	}, nil
}

func missing(name string, cause error) error {
	return errs.New(errs.ModelFileMissing,
		"the model file %s does not exist; put it there, set the model's path, or name the file with the parameter %q", name, "file").
		With("path", name).WithCause(cause)
}

// existing returns path if the file exists, else an empty string.
func existing(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// firstOf returns the first path that exists; the last one if none exists.
func firstOf(paths ...string) string {
	for _, p := range paths[:len(paths)-1] {
		if existing(p) != "" {
			return p
		}
	}
	return paths[len(paths)-1]
}

// maxConfigBytes is the largest size of a preprocessor_config.json.
const maxConfigBytes = 1 << 20

// readPreprocessor reports whether the model expects normalised audio. It does if the
// file is missing or does not say.
func readPreprocessor(path string) (normalize bool, err error) {
	if path == "" {
		return true, nil
	}
	invalid := func(cause error, format string, args ...any) error {
		return errs.New(errs.ModelFileInvalid, "the model's preprocessor_config.json cannot be used: "+format, args...).WithCause(cause)
	}
	f, err := os.Open(path) //nolint:gosec // the path is the configuration's
	if err != nil {
		return false, invalid(err, "it cannot be opened; check its permissions")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfigBytes))
	if err != nil {
		return false, invalid(err, "it cannot be read")
	}
	config := struct {
		Normalize bool `json:"do_normalize"`
		Rate      int  `json:"sampling_rate"`
	}{Normalize: true, Rate: audio.SampleRate}
	if err := json.Unmarshal(data, &config); err != nil {
		return false, invalid(err, "it is not the expected JSON (%v); fetch it again", err)
	}
	if config.Rate != audio.SampleRate {
		return false, invalid(nil, "the model expects %d samples per second; only models with %d are supported", config.Rate, audio.SampleRate)
	}
	return config.Normalize, nil
}
