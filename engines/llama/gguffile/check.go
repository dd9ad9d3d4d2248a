// Package gguffile reads the headers of GGUF files without llama.cpp. It is pure
// Go and bounded: no file makes it take much time or memory. Two callers use it:
// the engine, which refuses unusable files with an error that names the problem
// and the remedy before llama.cpp opens them, and the memory estimate of package
// settings, which the server computes.
package gguffile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// magic is the start of every GGUF file.
const magic = "GGUF"

// Check returns nil if the file looks like a language model, else
// MODEL_FILE_MISSING or MODEL_FILE_INVALID. It reads the header, not the weights.
func Check(path string) error {
	if err := checkReadable(path); err != nil {
		return err
	}
	h, err := Read(path)
	if err == nil && h.End > h.FileSize {
		err = fmt.Errorf("it has %d bytes, and its weights end at %d", h.FileSize, h.End)
	}
	if err != nil {
		return invalid(path, err, "%v; the file is damaged or incomplete: fetch it again", errs.WithoutPath(err))
	}
	return checkModel(path, h)
}

func invalid(path string, cause error, format string, args ...any) error {
	return errs.New(errs.ModelFileInvalid, "the model file %s cannot be used: %s", filepath.Base(path), fmt.Sprintf(format, args...)).
		WithCause(cause)
}

// checkReadable checks what can be checked without reading the header.
func checkReadable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errs.New(errs.ModelFileMissing, "the model file %s does not exist; put it there, or correct the model's path", filepath.Base(path)).
			WithCause(err)
	case err != nil:
		return invalid(path, err, "%v; make it readable for the server's user", errs.WithoutPath(err))
	case info.IsDir():
		return invalid(path, nil, "it is a folder; name the .gguf file in it")
	case !info.Mode().IsRegular():
		return invalid(path, nil, "it is not a regular file")
	case info.Size() == 0:
		return invalid(path, nil, "it is empty; fetch it again")
	}
	file, err := os.Open(path) //nolint:gosec // the path is the configuration's
	if err != nil {
		return invalid(path, err, "%v; make it readable for the server's user", errs.WithoutPath(err))
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, len(magic))
	n, err := io.ReadFull(file, head)
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return invalid(path, err, "%v; check the disk", errs.WithoutPath(err))
	case string(head[:n]) != magic[:n]:
		return invalid(path, nil, "it is not a GGUF file; this engine reads GGUF files only")
	case err != nil:
		return invalid(path, err, "it ends after %d bytes; fetch it again", n)
	}
	return nil
}

// checkModel refuses the other things that GGUF files contain.
func checkModel(path string, h *Header) error {
	switch {
	case h.Architecture == "":
		return invalid(path, nil, "it does not name its architecture, so it is not a language model")
	case h.Type != "" && h.Type != "model":
		return invalid(path, nil, "it contains a %q, not a model; name the model's own file", h.Type)
	case h.Architecture == "clip":
		return invalid(path, nil, "it contains the image part of a model; name the language model's file")
	case h.Tensors == 0:
		return invalid(path, nil, "it has no weights; fetch the whole model")
	}
	if causal, ok := h.numbers[h.Architecture+".attention.causal"]; ok && causal == 0 {
		return invalid(path, nil, "its architecture %q reads text but does not write any; use a chat model", h.Architecture)
	}
	return nil
}

// InFolder returns the paths of the GGUF files in a folder; none if it cannot be
// read.
func InFolder(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var files []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".gguf") {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	return files
}
