package gguffile

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
)

// Limits on what a header may claim. Model files come from anywhere and the
// server reads them, so a wrong count must cost neither time nor memory.
const (
	maxHeaderBytes = 256 << 20 // vocabularies with merges are a few MiB
	maxKeyBytes    = 64 << 10
	maxTextBytes   = 256 // of a key, a text or a tensor's name that is kept
	maxKept        = 64  // keys
	maxNesting     = 4
	readBuffer     = 64 << 10 // holds a key
)

// Header is the part of a GGUF file's header that memory estimates and checks
// need. It keeps only the keys listed in wanted, so that no file can make it
// large.
type Header struct {
	// Architecture is the value of general.architecture. The keys of the model's
	// own numbers begin with it.
	Architecture string
	// Type is the value of general.type, empty if the file has none. A file with
	// a model has "model".
	Type string
	// ChatTemplate reports whether the file has a template for conversations.
	ChatTemplate bool
	// FileSize is the size of the file in bytes.
	FileSize int64
	// Tensors is the number of tensors.
	Tensors uint64
	// End is the offset at which the last tensor ends: the least size of a
	// complete file. Tensors of a type that is not known here count as empty.
	End int64

	numbers, sums map[string]float64 // scalars, and the sums of numeric arrays
	lengths       map[string]uint64  // of arrays
}

// Number returns a scalar of the model's own metadata, e.g. "block_count". It
// returns 0 if the file has none.
func (h *Header) Number(name string) float64 { return h.numbers[h.Architecture+"."+name] }

// Sum returns the sum of an array of numbers, e.g. "attention.head_count_kv"
// where the file has one number per layer. It returns 0 if the file has none.
func (h *Header) Sum(name string) float64 { return h.sums[h.Architecture+"."+name] }

// Vocabulary returns the number of tokens.
func (h *Header) Vocabulary() float64 {
	return max(h.Number("vocab_size"), float64(h.lengths[keyTokens]))
}

const (
	keyArchitecture = "general.architecture"
	keyType         = "general.type"
	keyAlignment    = "general.alignment"
	keyTokens       = "tokenizer.ggml.tokens"   //nolint:gosec // not a secret
	keyChatTemplate = "tokenizer.chat_template" //nolint:gosec // as above
)

// wanted reports whether a key is kept. The keys of the model's own numbers
// begin with the architecture. Most files name it first, but they need not, so
// the keys of every architecture are kept, up to maxKept.
func wanted(key string) bool {
	switch key {
	case keyArchitecture, keyType, keyAlignment, keyTokens, keyChatTemplate:
		return true
	}
	_, name, _ := strings.Cut(key, ".")
	switch name {
	case "context_length", "embedding_length", "feed_forward_length", "vocab_size", "block_count",
		"attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
		"attention.causal":
		return true
	}
	return false
}

// Read reads the header of a GGUF file: its metadata and its table of tensors.
// It takes little memory whatever the file contains. It does not read the
// weights, and it does not compare End with the file's size.
func Read(path string) (*Header, error) {
	file, err := os.Open(path) //nolint:gosec // the path is the configuration's
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	h := &Header{
		FileSize: info.Size(),
		numbers:  map[string]float64{}, sums: map[string]float64{}, lengths: map[string]uint64{},
	}
	s := &scanner{r: bufio.NewReaderSize(io.LimitReader(file, maxHeaderBytes), readBuffer)}
	s.read(h)
	if errors.Is(s.err, io.EOF) || errors.Is(s.err, io.ErrUnexpectedEOF) {
		return nil, errors.New("the file ends in the middle of its header")
	}
	return h, s.err
}

func (s *scanner) read(h *Header) {
	if start := s.bytes(len(magic)); s.err == nil && string(start) != magic {
		s.fail("it does not begin as a GGUF file")
	}
	if version := s.uint32(); version != 2 && version != 3 {
		s.fail("its GGUF version is %d; versions 2 and 3 are supported", version)
	}
	h.Tensors = s.uint64()
	for count := s.uint64(); count > 0 && s.err == nil; count-- {
		key := s.key()
		if key != "" && h.kept() >= maxKept {
			s.fail("its metadata gives the model's dimensions too many times")
		}
		s.value(h, key, s.uint32(), 0)
	}
	s.tensors(h)
}

// kept returns the number of keys that are kept.
func (h *Header) kept() int { return len(h.numbers) + len(h.sums) + len(h.lengths) }

// The types of metadata values.
const (
	ggufUint8 uint32 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

// value reads a value. It keeps the value unless the key is empty.
func (s *scanner) value(h *Header, key string, kind uint32, depth int) {
	switch {
	case kind == ggufString && key == keyArchitecture:
		h.Architecture = s.text(keyArchitecture)
	case kind == ggufString && key == keyType:
		h.Type = s.text(keyType)
	case kind == ggufString:
		n := s.uint64()
		h.ChatTemplate = h.ChatTemplate || key == keyChatTemplate && n > 0
		s.skip(n)
	case kind == ggufArray:
		s.array(h, key, depth)
	default:
		if n := s.number(kind); key != "" && key != keyArchitecture && key != keyType {
			h.numbers[key] = n
		}
	}
}

func (s *scanner) array(h *Header, key string, depth int) {
	kind, count := s.uint32(), s.uint64()
	if depth > maxNesting {
		s.fail("its metadata is nested too deeply")
	}
	if s.err != nil {
		return
	}
	if key != "" {
		h.lengths[key] = count
	}
	for ; count > 0 && s.err == nil; count-- {
		switch kind {
		case ggufString:
			s.skip(s.uint64())
		case ggufArray:
			s.array(h, key, depth+1)
		default:
			if n := s.number(kind); key != "" {
				h.sums[key] += n
			}
		}
	}
}

func (s *scanner) number(kind uint32) float64 {
	switch kind {
	case ggufUint8, ggufBool, ggufInt8:
		return float64(s.fixed(1))
	case ggufUint16, ggufInt16:
		return float64(s.fixed(2))
	case ggufUint32, ggufInt32:
		return float64(s.fixed(4))
	case ggufUint64, ggufInt64:
		return float64(s.fixed(8))
	case ggufFloat32:
		s.skip(4)
	case ggufFloat64:
		s.skip(8)
	default:
		s.fail("its metadata has a value of the unknown type %d", kind)
	}
	return 0
}

// key reads a key. It returns an empty string for a key that is not kept.
func (s *scanner) key() string {
	n := s.uint64()
	if n > maxKeyBytes {
		s.fail("its metadata has a key of %d bytes", n)
	}
	if n > maxTextBytes || s.err != nil {
		s.skip(n)
		return ""
	}
	key := string(s.bytes(int(n))) //nolint:gosec // bounded above
	if wanted(key) {
		return key
	}
	return ""
}
