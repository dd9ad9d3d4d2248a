package modelfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// magic is the number at the beginning of ggml's files, little-endian.
const magic = 0x67676d6c

const (
	maxTokenBytes = 1 << 10 // of a token's text; the published ones stay below 256
	maxNameBytes  = 128     // of a tensor's name
)

// reader reads the headers of a file. After the first error it returns zeros.
type reader struct {
	file   *os.File
	r      *bufio.Reader
	offset int64
	size   int64
	err    error
}

func newReader(file *os.File, size int64) *reader {
	return &reader{file: file, r: bufio.NewReader(file), size: size}
}

// bytes reads n bytes. It allocates nothing if the file has fewer.
func (r *reader) bytes(n int64) []byte {
	if r.err == nil && n > r.size-r.offset {
		r.err = fmt.Errorf("it ends after %d bytes and is incomplete; fetch it again", r.size)
	}
	if r.err != nil {
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.r, b); err != nil {
		r.err = err
		return nil
	}
	r.offset += n
	return b
}

func (r *reader) int32() int32 {
	var word [4]byte
	copy(word[:], r.bytes(4))
	return int32(binary.LittleEndian.Uint32(word[:])) //nolint:gosec // reinterprets the bits
}

// text reads a length of at most limit, and a text of that length.
func (r *reader) text(what string, limit int32) string {
	n := r.int32()
	if r.err == nil && (n < 0 || n > limit) {
		r.err = fmt.Errorf("it has a %s of %d bytes; it is damaged, fetch it again", what, n)
	}
	if r.err != nil {
		return ""
	}
	return string(r.bytes(int64(n)))
}

// skip skips n bytes without reading them.
func (r *reader) skip(n int64) {
	if r.err == nil && n > r.size-r.offset {
		r.err = fmt.Errorf("it ends after %d bytes and is incomplete; fetch it again", r.size)
	}
	if r.err != nil {
		return
	}
	r.offset += n
	if n <= int64(r.r.Buffered()) {
		_, r.err = r.r.Discard(int(n))
		return
	}
	if _, r.err = r.file.Seek(r.offset, io.SeekStart); r.err == nil {
		r.r.Reset(r.file)
	}
}

// fail sets the error if there is none yet.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *reader) magic() {
	if got := r.int32(); r.err == nil && got != magic {
		r.err = errors.New("it is not a ggml file; use a ggml file for whisper.cpp")
	}
}
