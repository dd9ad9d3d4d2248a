// Package footprint has what the memory estimates of all engines share: the size
// of a model's files, the estimate for engines whose files are not known, and the
// key under which the server keeps what it learned about a model.
//
// The formula of each of the project's own engines is in its package settings,
// beside the parameters that it depends on, e.g. engines/llama/settings. Package
// bundled chooses among them. The server reserves the estimate before the first
// load of a model; what the load then needed is learned, and replaces it.
package footprint

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Model is what an estimate depends on.
type Model struct {
	// Path is the model's file or folder.
	Path string
	// Parameters are the model's parameters in the configuration. They may be nil.
	Parameters *structpb.Struct
	// MaxConcurrency is the largest number of requests at the same time.
	MaxConcurrency int
}

// ProcessBytes is what an engine's process needs beside its model: code,
// libraries, stacks, gRPC.
const ProcessBytes = 48 << 20

// GenericFactor is the memory of a loaded model divided by the size of its files,
// for engines whose files are not known.
const GenericFactor = 1.2

// Generic estimates a model from the size of its files alone. It returns the
// bytes that the model's process will need, and the errors of Size.
func Generic(m Model) (int64, error) {
	size, err := Size(m.Path)
	if err != nil {
		return 0, err
	}
	return ProcessBytes + int64(float64(size)*GenericFactor), nil
}

// Bytes converts a computed size to bytes. Broken headers and absurd parameters
// cannot make it overflow: sizes above 1 PiB are cut to that.
func Bytes(n float64) int64 {
	const most = 1 << 50
	return int64(min(n, most))
}

// Fingerprint identifies what determines a model's memory and load time: the
// engine, the file as it is on disk now, and the parameters. It is the key of what
// the server learned from earlier loads.
func Fingerprint(engine string, m Model) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%s\n%d\n", engine, m.Path, m.MaxConcurrency)
	_ = EachFile(m.Path, func(_ string, info fs.FileInfo) { // a missing file has a fingerprint too
		fmt.Fprintf(hash, "%s %d %d\n", info.Name(), info.Size(), info.ModTime().UnixNano())
	})
	if m.Parameters != nil {
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Parameters)
		if err == nil {
			hash.Write(text)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// Size returns the total size of a model's files in bytes. A missing file is
// MODEL_FILE_MISSING; one that is empty or cannot be read is MODEL_FILE_INVALID.
func Size(path string) (int64, error) {
	var size int64
	var files int
	err := EachFile(path, func(_ string, info fs.FileInfo) {
		size += info.Size()
		files++
	})
	name := filepath.Base(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, errs.New(errs.ModelFileMissing, "the model file %s does not exist; put it there, or set its path in the configuration", name).WithCause(err)
	case err != nil:
		return 0, errs.New(errs.ModelFileInvalid, "the model file %s cannot be read; check its permissions", name).WithCause(err)
	case files == 0:
		return 0, errs.New(errs.ModelFileMissing, "the model folder %s is empty; put the model's files there", name)
	case size == 0:
		return 0, errs.New(errs.ModelFileInvalid, "the model file %s is empty; fetch it again", name)
	}
	return size, nil
}

// EachFile calls visit with a file, or with every file in a folder and the folders
// below it. It returns an error if a file cannot be opened.
func EachFile(path string, visit func(path string, info fs.FileInfo)) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return visitFile(path, info, visit)
	}
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(p) // follows links: the caches of model hubs consist of them
		if err != nil || info.IsDir() {
			return err
		}
		return visitFile(p, info, visit)
	})
}

func visitFile(path string, info fs.FileInfo, visit func(string, fs.FileInfo)) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	visit(path, info)
	return f.Close()
}
