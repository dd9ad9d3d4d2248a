// Package whisperimport converts Whisper models to ggml, the format of
// whisper.cpp. It reads the folders of CTranslate2 (faster-whisper) and of
// Hugging Face Transformers (safetensors).
//
// OpenAI's checkpoints are 16-bit floats, and both formats keep every bit of them.
// The tensors are written in the order of these checkpoints. So a model of OpenAI
// becomes byte for byte the file that whisper.cpp publishes.
//
// Tensors are copied from file to file in small pieces: the memory needed does not
// depend on the size of the model.
//
// No library does this: whisper.cpp's own converters are Python programs that need
// PyTorch, Transformers and a checkout of OpenAI's repository, and none of them
// reads CTranslate2.
package whisperimport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// source gives the tensors of a model.
type source interface {
	// tensor finds a tensor. The error says what the file lacks.
	tensor(n name) (tensor, error)
	// layers returns the number of layers of "encoder" or "decoder".
	layers(side string) int
	// heads returns the number of attention heads of "encoder" or "decoder".
	heads(side string) (int, error)
	close() error
}

// FormatError reports that a folder does not contain a model that can be
// converted.
type FormatError struct {
	// Message says what is wrong.
	Message string
	// Advice is what the user can do; it may be empty.
	Advice string
}

// Error returns the message.
func (e *FormatError) Error() string { return e.Message }

func formatError(format string, args ...any) error {
	return &FormatError{Message: fmt.Sprintf(format, args...)}
}

// Convert reads the model in a folder and writes it to w. progress is called with
// the number of bytes written so far and of all bytes.
//
// The error is a [*FormatError] if the folder has no usable model.
func Convert(ctx context.Context, folder fs.FS, w io.Writer, progress func(done, total int64)) (err error) {
	src, err := open(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	m, err := plan(src)
	if err != nil {
		return err
	}
	tokens, err := readTokens(folder, m.head.vocabulary)
	if err != nil {
		return err
	}
	out := &countingWriter{ctx: ctx, w: w, total: m.size(tokens), progress: progress}
	buffered := bufio.NewWriterSize(out, copyBytes)
	if err := m.write(buffered, tokens); err != nil {
		return err
	}
	return buffered.Flush()
}

// open finds out the format of the folder.
func open(folder fs.FS) (source, error) {
	parts, err := openParts(folder, "model.bin")
	if err != nil {
		return nil, err
	}
	if parts != nil {
		return openCT2(parts)
	}
	src, err := openSafetensors(folder)
	if src != nil || err != nil {
		return src, err
	}
	return nil, unknownFolder(folder)
}

// unknownFolder explains why a folder without usable weights cannot be converted.
func unknownFolder(folder fs.FS) error {
	has := func(pattern string) bool {
		found, err := fs.Glob(folder, pattern)
		return err == nil && len(found) > 0
	}
	switch {
	case has("adapter_model*"):
		return &FormatError{Message: "the folder holds a LoRA adapter, not a whole model",
			Advice: "Merge it with its base model first, with merge_and_unload of the Python package peft, and save the result."}
	case has("pytorch_model*.bin"):
		return &FormatError{Message: "the folder holds the weights only as pytorch_model.bin, a format that can run code when it is read",
			Advice: "Save them as safetensors, with save_pretrained of the Python package transformers, or use such a copy of the model."}
	case has("*.gguf") || has("ggml-*.bin"):
		return &FormatError{Message: "the folder holds a file that needs no conversion",
			Advice: "Name its path in the configuration, models.NAME.path."}
	}
	return &FormatError{Message: "the folder has neither model.bin (CTranslate2) nor model.safetensors (Hugging Face)",
		Advice: "Name the folder that contains the weights, config.json and tokenizer.json."}
}

// countingWriter reports progress, and stops when the context ends.
type countingWriter struct {
	ctx         context.Context //nolint:containedctx // of one call of Convert
	w           io.Writer
	done, total int64
	progress    func(done, total int64)
}

// Write writes to the underlying writer.
func (c *countingWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.w.Write(p)
	c.done += int64(n)
	c.progress(c.done, c.total)
	return n, err
}
