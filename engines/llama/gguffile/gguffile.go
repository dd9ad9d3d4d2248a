// Package gguffile looks a GGUF model over before llama.cpp opens it: a file that
// is missing, unreadable, cut short, damaged or of another kind is refused here,
// with an error that says what is wrong with which file and what to do.
package gguffile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"

	parser "github.com/gpustack/gguf-parser-go"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// magic is what a GGUF file begins with.
const magic = "GGUF"

// Check returns nil if the file looks like a language model, else
// MODEL_FILE_MISSING or MODEL_FILE_INVALID. It reads the header, not the weights.
func Check(path string) error {
	if err := checkReadable(path); err != nil {
		return err
	}
	file, err := parse(path)
	if err != nil {
		return invalid(path, err, "its header or its length is wrong (%v); it is damaged or was not copied to its end: fetch it again", err)
	}
	return checkModel(path, file)
}

func invalid(path string, cause error, format string, args ...any) error {
	return errs.New(errs.ModelFileInvalid, "the model's file %s cannot be used: %s", path, fmt.Sprintf(format, args...)).
		With("path", path).WithCause(cause)
}

// checkReadable looks at what does not need a parser.
func checkReadable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errs.New(errs.ModelFileMissing, "the model's file %s is not there; put it there, or correct the model's path", path).
			With("path", path).WithCause(err)
	case err != nil:
		return invalid(path, err, "%v; make it readable for the server's user", err)
	case info.IsDir():
		return invalid(path, nil, "it is a folder; name the .gguf file in it")
	case !info.Mode().IsRegular():
		return invalid(path, nil, "it is not a regular file")
	case info.Size() == 0:
		return invalid(path, nil, "it is empty; fetch it again")
	}
	file, err := os.Open(path) //nolint:gosec // the path is the configuration's
	if err != nil {
		return invalid(path, err, "%v; make it readable for the server's user", err)
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, len(magic))
	n, err := io.ReadFull(file, head)
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return invalid(path, err, "%v; check the disk", err)
	case string(head[:n]) != magic[:n]:
		return invalid(path, nil, "it is not a GGUF file; this engine reads GGUF only")
	case err != nil:
		return invalid(path, err, "it ends after %d bytes; fetch it again", n)
	}
	return nil
}

// parse reads the header. Files come from anywhere: a parser's panic, or a file
// that shrinks while it is read, is the file's fault.
func parse(path string) (file *parser.GGUFFile, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return parser.ParseGGUFFile(path, parser.UseMMap(), parser.SkipLargeMetadata())
}

// checkModel tells language models from the other things that are kept in GGUF.
func checkModel(path string, file *parser.GGUFFile) error {
	text := func(key string) string {
		if kv, ok := file.Header.MetadataKV.Get(key); ok && kv.ValueType == parser.GGUFMetadataValueTypeString {
			return kv.ValueString()
		}
		return ""
	}
	architecture := text("general.architecture")
	switch kind := text("general.type"); {
	case architecture == "":
		return invalid(path, nil, "it does not name its architecture; it is no language model")
	case kind != "" && kind != "model":
		return invalid(path, nil, "it holds a %q, not a model; name the model's own file", kind)
	case architecture == "clip":
		return invalid(path, nil, "it holds the image part of a model; name the language model's file")
	case len(file.TensorInfos) == 0:
		return invalid(path, nil, "it has no weights; fetch the whole model")
	}
	if kv, ok := file.Header.MetadataKV.Get(architecture + ".attention.causal"); ok &&
		kv.ValueType == parser.GGUFMetadataValueTypeBool && !kv.ValueBool() {
		return invalid(path, nil, "its architecture %q reads text but does not write any; use a chat model", architecture)
	}
	return nil
}
