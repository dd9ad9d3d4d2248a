package whisperimport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
)

// model is what is written: the header and the tensors in their order.
type model struct {
	head  head
	items []item
}

type head struct {
	vocabulary, audioContext, textContext, width int64
	encoderHeads, decoderHeads                   int
	encoderLayers, decoderLayers                 int
	bands                                        int64
}

type item struct {
	name   string
	tensor tensor
}

// plan finds all tensors, and checks that they fit together.
func plan(src source) (*model, error) {
	m := &model{}
	h := &m.head
	h.encoderLayers, h.decoderLayers = src.layers("encoder"), src.layers("decoder")
	if h.encoderLayers == 0 || h.decoderLayers == 0 {
		return nil, formatError("the model has %d encoder and %d decoder layers; a Whisper model has both", h.encoderLayers, h.decoderLayers)
	}
	var err error
	if h.encoderHeads, err = src.heads("encoder"); err != nil {
		return nil, err
	}
	if h.decoderHeads, err = src.heads("decoder"); err != nil {
		return nil, err
	}
	for _, n := range allNames(h.encoderLayers, h.decoderLayers) {
		t, err := src.tensor(n)
		if err != nil {
			return nil, err
		}
		if err := h.fit(n, t.shape); err != nil {
			return nil, err
		}
		m.items = append(m.items, item{n.openai, t})
	}
	if err := checkKeyBiases(src, *h); err != nil {
		return nil, err
	}
	return m, h.check()
}

// fit compares a shape with the sizes that are known, and learns the others.
func (h *head) fit(n name, shape []int64) error {
	known := map[rune]*int64{'d': &h.width, 'v': &h.vocabulary, 't': &h.textContext, 'a': &h.audioContext, 'm': &h.bands}
	fits := len(shape) == len(n.shape)
	for i, letter := range n.shape {
		if !fits {
			break
		}
		switch letter {
		case 'f':
			fits = shape[i] == 4*h.width
		case '3':
			fits = shape[i] == 3
		default:
			if *known[letter] == 0 {
				*known[letter] = shape[i]
			}
			fits = shape[i] == *known[letter]
		}
	}
	if !fits {
		return formatError("%s has the shape %v, which does not fit the rest of a Whisper model", n.openai, shape)
	}
	return nil
}

// Sizes of OpenAI's models. whisper.cpp computes the numbers of the special tokens
// from the number of all tokens, so other vocabularies would be misunderstood.
const (
	englishTokens, largestTokens = 51864, 51866
	whisperAudioContext          = 1500
	whisperTextContext           = 448
)

func (h *head) check() error {
	switch {
	case h.vocabulary < englishTokens || h.vocabulary > largestTokens:
		return formatError("the model has %d tokens; only the vocabularies of OpenAI's models, of %d to %d tokens, can be used", h.vocabulary, englishTokens, largestTokens)
	case h.audioContext != whisperAudioContext || h.textContext > whisperTextContext:
		return formatError("the model takes %d audio positions and %d text positions; Whisper has %d and %d", h.audioContext, h.textContext, whisperAudioContext, whisperTextContext)
	case h.bands != 80 && h.bands != 128:
		return formatError("the model takes %d mel bands; Whisper models take 80 or 128", h.bands)
	}
	for _, heads := range []int{h.encoderHeads, h.decoderHeads} {
		if heads <= 0 || h.width%int64(heads) != 0 {
			return formatError("%d attention heads do not divide the width %d", heads, h.width)
		}
	}
	return nil
}

var errNotZero = errors.New("not zero")

func checkKeyBiases(src source, h head) error {
	for _, n := range keyBiases(h.encoderLayers, h.decoderLayers) {
		t, err := src.tensor(n)
		if err != nil {
			continue // absent, as it should be
		}
		err = t.read(func(values []float32) error {
			if slices.ContainsFunc(values, func(v float32) bool { return v != 0 }) {
				return errNotZero
			}
			return nil
		})
		if errors.Is(err, errNotZero) {
			return formatError("%s is not zero: Whisper's keys have no bias, so this model cannot be converted", n.openai)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The beginning and the types of whisper.cpp's files.
const (
	ggmlMagic   = 0x67676d6c
	ggmlFloat32 = 0
	ggmlFloat16 = 1
)

// asFloat32 reports whether whisper.cpp expects the tensor in single precision.
func (i item) asFloat32() bool {
	return len(i.tensor.shape) < 2 || strings.HasSuffix(i.name, "positional_embedding")
}

// dimensions returns the shape in the order of ggml, the fastest first.
func (i item) dimensions() []int64 {
	shape := slices.Clone(i.tensor.shape)
	if i.name == "encoder.conv1.bias" || i.name == "encoder.conv2.bias" {
		shape = append(shape, 1)
	}
	slices.Reverse(shape)
	return shape
}

func (m *model) headBytes(tokens [][]byte) []byte {
	h := m.head
	filters := melFilters(int(h.bands))
	var b bytes.Buffer
	ints := func(values ...int64) {
		for _, v := range values {
			b.Write(binary.LittleEndian.AppendUint32(nil, uint32(v))) //nolint:gosec // all are small
		}
	}
	ints(ggmlMagic, h.vocabulary, h.audioContext, h.width, int64(h.encoderHeads), int64(h.encoderLayers),
		h.textContext, h.width, int64(h.decoderHeads), int64(h.decoderLayers), h.bands, ggmlFloat16)
	ints(int64(len(filters)), int64(len(filters[0])))
	for _, filter := range filters {
		for _, weight := range filter {
			ints(int64(math.Float32bits(weight)))
		}
	}
	ints(int64(len(tokens)))
	for _, token := range tokens {
		ints(int64(len(token)))
		b.Write(token)
	}
	return b.Bytes()
}

func (i item) headBytes() []byte {
	shape, kind := i.dimensions(), ggmlFloat16
	if i.asFloat32() {
		kind = ggmlFloat32
	}
	var b []byte
	for _, v := range append([]int64{int64(len(shape)), int64(len(i.name)), int64(kind)}, shape...) {
		b = binary.LittleEndian.AppendUint32(b, uint32(v)) //nolint:gosec // all are small
	}
	return append(b, i.name...)
}

// size returns how many bytes write will write.
func (m *model) size(tokens [][]byte) int64 {
	sum := int64(len(m.headBytes(tokens)))
	for _, i := range m.items {
		bytes := float16s.bytes
		if i.asFloat32() {
			bytes = float32s.bytes
		}
		sum += int64(len(i.headBytes())) + i.tensor.values()*bytes
	}
	return sum
}

func (m *model) write(w io.Writer, tokens [][]byte) error {
	if _, err := w.Write(m.headBytes(tokens)); err != nil {
		return err
	}
	var encoded []byte
	for _, i := range m.items {
		if _, err := w.Write(i.headBytes()); err != nil {
			return err
		}
		err := i.tensor.read(func(values []float32) error {
			encoded = encoded[:0]
			for _, v := range values {
				if i.asFloat32() {
					encoded = binary.LittleEndian.AppendUint32(encoded, math.Float32bits(v))
				} else {
					encoded = binary.LittleEndian.AppendUint16(encoded, toFloat16(v))
				}
			}
			_, err := w.Write(encoded)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
