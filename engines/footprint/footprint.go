// Package footprint estimates, without loading it, how much memory a model will
// take. The gateway reserves that much before the first load; what a load then
// really took is learned, and replaces the estimate.
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

// Source says which model is estimated.
type Source struct {
	// Engine is the engine's name, e.g. "llama".
	Engine string
	// Path is the model's file or folder.
	Path string
	// Parameters are the model's settings; nil for none.
	Parameters *structpb.Struct
	// MaxConcurrency is the most calls at once.
	MaxConcurrency int
}

// processBytes is what an engine's process takes beside its model: code,
// libraries, stacks, gRPC.
const processBytes = 48 << 20

// unknownFactor is the memory of a loaded model over the size of its files, of
// engines whose files are not known here.
const unknownFactor = 1.2

// Estimate returns the bytes that the model's process will take. A file that is
// missing is MODEL_FILE_MISSING, one that cannot be what the engine needs
// MODEL_FILE_INVALID.
func Estimate(src Source) (int64, error) {
	size, err := sizeOf(src.Path)
	if err != nil {
		return 0, err
	}
	switch src.Engine {
	case "llama":
		return gguf(src, size)
	case "piper":
		return piper(src, size), nil
	case "hubert":
		return ctc(src, size), nil
	case "whisper":
		return whisper(src)
	}
	return processBytes + int64(float64(size)*unknownFactor), nil
}

// Fingerprint names what determines a model's memory and load time: the file as
// it is on disk now, the engine and the settings. It is the key of what runs
// taught.
func Fingerprint(src Source) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%s\n%d\n", src.Engine, src.Path, src.MaxConcurrency)
	_ = eachFile(src.Path, func(_ string, info fs.FileInfo) { // a missing file has a fingerprint too
		fmt.Fprintf(hash, "%s %d %d\n", info.Name(), info.Size(), info.ModTime().UnixNano())
	})
	if src.Parameters != nil {
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(src.Parameters)
		if err == nil {
			hash.Write(text)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// sizeOf adds up the sizes of a model's files.
func sizeOf(path string) (int64, error) {
	var size int64
	var files int
	err := eachFile(path, func(_ string, info fs.FileInfo) {
		size += info.Size()
		files++
	})
	name := filepath.Base(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, errs.New(errs.ModelFileMissing, "the model's file %s is not there; put it there, or set its path in the configuration", name).WithCause(err)
	case err != nil:
		return 0, errs.New(errs.ModelFileInvalid, "the model's file %s cannot be read; check its permissions", name).WithCause(err)
	case files == 0:
		return 0, errs.New(errs.ModelFileMissing, "the model's folder %s is empty", name)
	case size == 0:
		return 0, errs.New(errs.ModelFileInvalid, "the model's file %s is empty; fetch it again", name)
	}
	return size, nil
}

// eachFile visits a file, or the files of a folder and those below it, and
// checks that they can be opened.
func eachFile(path string, visit func(path string, info fs.FileInfo)) error {
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
		info, err := os.Stat(p) // follows links, as hubs' caches have them
		if err != nil || info.IsDir() {
			return err
		}
		return visitFile(p, info, visit)
	})
}

func visitFile(path string, info fs.FileInfo, visit func(string, fs.FileInfo)) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	visit(path, info)
	return f.Close()
}
