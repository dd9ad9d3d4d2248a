// Package modelfile checks the file of a whisper model before whisper.cpp opens it.
// whisper.cpp trusts the file: with a wrong count it allocates without limit, throws
// an exception that is not caught, or ends the process, and it accepts a file without
// weights because its own tests use those. So this package checks every count, name,
// shape and length against the size of the file and against what a whisper model must
// contain.
package modelfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Values of all published models.
const (
	audioContext = 1500
	textContext  = 448
	fftBins      = 201

	// Sizes of the smallest vocabulary, which is the English one, and of the largest,
	// that of large-v3. whisper.cpp derives the ids of special tokens from the size.
	englishVocabulary = 51864
	largestVocabulary = 51866
)

// Header describes a model.
type Header struct {
	// Vocabulary is the number of tokens.
	Vocabulary int
	// Width is the length of the vector of a token or frame.
	Width int
	// EncoderLayers and DecoderLayers are the numbers of layers.
	EncoderLayers, DecoderLayers int
	// Mels is the number of mel bands.
	Mels int
	// FileType is the ftype of ggml, which selects the type of the matrices.
	FileType int32
	// WeightsAt is the offset of the first tensor.
	WeightsAt int64
	// Size is the file's size in bytes.
	Size int64
}

// AudioContext returns the number of the encoder's positions.
func (Header) AudioContext() int { return audioContext }

// TextContext returns the number of the decoder's positions.
func (Header) TextContext() int { return textContext }

// Check returns the header of a file if whisper.cpp can open it safely, and a
// MODEL_FILE_MISSING or MODEL_FILE_INVALID error otherwise. It does not read the
// weights.
func Check(path string) (Header, error) {
	var h Header
	err := read(path, "the model's file", func(r *reader) {
		h = r.header()
		h.WeightsAt = r.offset
		if r.err == nil {
			h.tensors().read(r)
		}
	})
	return h, err
}

// Read returns the header of a file without checking its tensors.
func Read(path string) (Header, error) {
	var h Header
	err := read(path, "the model's file", func(r *reader) {
		h = r.header()
		h.WeightsAt = r.offset
	})
	return h, err
}

// read opens a file and calls check with it. what describes the file in errors.
func read(path, what string, check func(*reader)) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errs.New(errs.ModelFileMissing, "%s %s does not exist: put it there, or correct its path", what, filepath.Base(path)).
			WithCause(err)
	case err != nil:
		return invalid(path, what, fmt.Errorf("%w; check its permissions", errs.WithoutPath(err)))
	case info.IsDir():
		return invalid(path, what, errors.New("it is a folder; set the path to the .bin file in it"))
	case !info.Mode().IsRegular():
		return invalid(path, what, errors.New("it is not a regular file"))
	case info.Size() == 0:
		return invalid(path, what, errors.New("it is empty; fetch it again"))
	}
	file, err := os.Open(path) //nolint:gosec // the path is from the configuration
	if err != nil {
		return invalid(path, what, fmt.Errorf("%w; check its permissions", errs.WithoutPath(err)))
	}
	defer func() { _ = file.Close() }()
	r := newReader(file, info.Size())
	if check(r); r.err != nil {
		return invalid(path, what, r.err)
	}
	return nil
}

func invalid(path, what string, cause error) error {
	return errs.New(errs.ModelFileInvalid, "%s %s cannot be used: %v", what, filepath.Base(path), errs.WithoutPath(cause)).WithCause(cause)
}

// header reads the part of the file before the tensors.
func (r *reader) header() Header {
	r.magic()
	var n [11]int32
	for i := range n {
		n[i] = r.int32()
	}
	h := Header{
		Vocabulary: int(n[0]), Width: int(n[2]), EncoderLayers: int(n[4]), DecoderLayers: int(n[8]),
		Mels: int(n[9]), FileType: n[10] % quantisationFactor, Size: r.size,
	}
	if r.err != nil {
		return h
	}
	if err := checkCounts(n, h); err != nil {
		r.err = err
		return h
	}
	if mels, bins := r.int32(), r.int32(); r.err == nil && (int(mels) != h.Mels || bins != fftBins) {
		r.fail("its mel filters are %d × %d instead of %d × %d; it is damaged, fetch it again", mels, bins, h.Mels, fftBins)
	}
	r.skip(int64(h.Mels) * fftBins * 4)
	r.vocabulary(h.Vocabulary)
	return h
}

// quantisationFactor separates the ftype from the version of the quantisation.
const quantisationFactor = 1000

func checkCounts(n [11]int32, h Header) error {
	matrices, known := kindOf(h.FileType)
	for _, c := range []struct {
		what  string
		value int32
		ok    bool
	}{
		{"a vocabulary", n[0], n[0] >= englishVocabulary && n[0] <= largestVocabulary},
		{"an audio context", n[1], n[1] == audioContext},
		{"a width", n[2], n[2] > 0 && n[2] <= 1<<13},
		{"a number of audio heads", n[3], n[3] > 0 && n[2]%max(1, n[3]) == 0},
		{"a number of audio layers", n[4], n[4] > 0 && n[4] <= 256},
		{"a text context", n[5], n[5] == textContext},
		{"a text width", n[6], n[6] == n[2]},
		{"a number of text heads", n[7], n[7] > 0 && n[2]%max(1, n[7]) == 0},
		{"a number of text layers", n[8], n[8] > 0 && n[8] <= 256},
		{"a number of mel bands", n[9], n[9] == 80 || n[9] == 128},
		{"a file type", n[10], known && n[10] >= 0},
	} {
		if !c.ok {
			return fmt.Errorf("it has %s of %d, which no whisper model has; it is damaged or not a whisper model, fetch it again", c.what, c.value)
		}
	}
	if int64(h.Width)%matrices.numbers != 0 {
		return fmt.Errorf("its width %d does not fit its file type %d", h.Width, h.FileType)
	}
	return nil
}

// vocabulary reads the texts of the tokens, at most limit.
func (r *reader) vocabulary(limit int) {
	n := r.int32()
	if r.err == nil && (n < 1 || int(n) > limit) {
		r.fail("it has the texts of %d tokens but a vocabulary of %d; it is damaged, fetch it again", n, limit)
	}
	// whisper.cpp needs the token " " to suppress it.
	blank := false
	for i := int32(0); i < n && r.err == nil; i++ {
		blank = r.text("token", maxTokenBytes) == " " || blank
	}
	if r.err == nil && !blank {
		r.fail("its vocabulary has no token \" \"; it is damaged, fetch it again")
	}
}
