package footprint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Limits of what is believed of a header. Files come from anywhere, and the
// gateway reads them: a count in a broken one must cost neither time nor memory.
const (
	maxHeaderBytes = 256 << 20 // vocabularies with merges are a few MiB
	maxKeyBytes    = 64 << 10
	maxNameBytes   = 256 // of a key or an architecture that is kept
	maxKept        = 64  // keys
	maxNesting     = 4
	readBuffer     = 64 << 10 // holds a key
)

// header is what a GGUF file tells of itself that an estimate needs. It keeps
// only the keys of wanted, so that a file cannot make it large.
type header struct {
	// architecture is the value of general.architecture, which begins the keys
	// of the model's own numbers.
	architecture string
	// numbers hold the scalar metadata, sums and lengths the sum of numeric
	// arrays and the length of all arrays.
	numbers, sums map[string]float64
	lengths       map[string]uint64
}

const (
	keyArchitecture = "general.architecture"
	keyTokens       = "tokenizer.ggml.tokens" //nolint:gosec // no secret
)

// wanted tells whether an estimate uses a key. Keys of the model begin with an
// architecture, which files tell first, but need not: those of any are kept, up
// to maxKept.
func wanted(key string) bool {
	if key == keyTokens {
		return true
	}
	_, name, _ := strings.Cut(key, ".")
	switch name {
	case "context_length", "embedding_length", "feed_forward_length", "vocab_size", "block_count",
		"attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length":
		return true
	}
	return false
}

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

// readHeader reads the metadata of a GGUF file.
func readHeader(path string) (*header, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s := &scanner{r: bufio.NewReaderSize(io.LimitReader(file, maxHeaderBytes), readBuffer)}
	h := &header{numbers: map[string]float64{}, sums: map[string]float64{}, lengths: map[string]uint64{}}
	s.read(h)
	if errors.Is(s.err, io.EOF) || errors.Is(s.err, io.ErrUnexpectedEOF) {
		return nil, errors.New("it ends in the middle of its header")
	}
	return h, s.err
}

// scanner reads little-endian values. After the first error every read is of
// nothing, so that callers look once.
type scanner struct {
	r   *bufio.Reader
	err error
}

func (s *scanner) read(h *header) {
	if magic := s.bytes(4); s.err == nil && string(magic) != "GGUF" {
		s.err = errors.New("it does not begin as a GGUF file")
	}
	if version := s.uint32(); s.err == nil && version != 2 && version != 3 {
		s.err = fmt.Errorf("it is of GGUF version %d; 2 and 3 are known", version)
	}
	s.uint64() // tensors
	for count := s.uint64(); count > 0 && s.err == nil; count-- {
		key := s.key()
		if key != "" && h.kept() >= maxKept {
			s.err = errors.New("its metadata tells the model's size too many times")
		}
		s.value(h, key, s.uint32(), 0)
	}
}

// kept counts the keys that are held.
func (h *header) kept() int { return len(h.numbers) + len(h.sums) + len(h.lengths) }

// value reads a value, and keeps it if it has a key.
func (s *scanner) value(h *header, key string, kind uint32, depth int) {
	switch {
	case kind == ggufString && key == keyArchitecture:
		h.architecture = s.text(maxNameBytes)
	case kind == ggufString:
		s.skip(s.uint64())
	case kind == ggufArray:
		s.array(h, key, depth)
	default:
		if n := s.number(kind); key != "" && key != keyArchitecture {
			h.numbers[key] = n
		}
	}
}

func (s *scanner) array(h *header, key string, depth int) {
	kind, count := s.uint32(), s.uint64()
	if depth > maxNesting {
		s.err = errors.New("its metadata is nested too deep")
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
		if s.err == nil {
			s.err = fmt.Errorf("its metadata has a value of the unknown type %d", kind)
		}
	}
	return 0
}

// fixed reads an unsigned number of n bytes, at most 8.
func (s *scanner) fixed(n int) uint64 {
	var word [8]byte
	copy(word[:], s.bytes(n))
	return binary.LittleEndian.Uint64(word[:])
}

func (s *scanner) uint32() uint32 { return uint32(s.fixed(4)) } //nolint:gosec // four bytes
func (s *scanner) uint64() uint64 { return s.fixed(8) }

// key reads a key; "" stands for one that is of no use.
func (s *scanner) key() string {
	n := s.uint64()
	if n > maxKeyBytes && s.err == nil {
		s.err = fmt.Errorf("its metadata has a key of %d bytes", n)
	}
	if n > maxNameBytes || s.err != nil {
		s.skip(n)
		return ""
	}
	key := string(s.bytes(int(n))) //nolint:gosec // bounded above
	if key == keyArchitecture || wanted(key) {
		return key
	}
	return ""
}

// text reads a text of at most limit bytes.
func (s *scanner) text(limit uint64) string {
	n := s.uint64()
	if n > limit && s.err == nil {
		s.err = fmt.Errorf("its architecture has a name of %d bytes", n)
	}
	if s.err != nil {
		return ""
	}
	return string(s.bytes(int(n))) //nolint:gosec // bounded above
}

// bytes returns the next n bytes, at most the buffer's size, until the next
// read.
func (s *scanner) bytes(n int) []byte {
	if s.err != nil {
		return nil
	}
	var b []byte
	if b, s.err = s.r.Peek(n); s.err != nil {
		return nil
	}
	_, s.err = s.r.Discard(n)
	return b
}

func (s *scanner) skip(n uint64) {
	if s.err != nil {
		return
	}
	if n > maxHeaderBytes {
		s.err = fmt.Errorf("its metadata has a text of %d bytes", n)
		return
	}
	_, s.err = s.r.Discard(int(n)) //nolint:gosec // bounded above
}
