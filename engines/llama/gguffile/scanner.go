package gguffile

import (
	"bufio"
	"encoding/binary"
	"fmt"
)

// scanner reads little-endian values. After the first error, which stays in err,
// every read returns zero, so that callers need to look at err only once.
type scanner struct {
	r      *bufio.Reader
	offset int64 // in the file, of the next read
	err    error
}

// fail records an error unless there is one already.
func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// bytes returns the next n bytes, at most the buffer's size. They are valid until
// the next read.
func (s *scanner) bytes(n int) []byte {
	if s.err != nil {
		return nil
	}
	var b []byte
	if b, s.err = s.r.Peek(n); s.err != nil {
		return nil
	}
	s.skip(uint64(n)) //nolint:gosec // not negative
	return b
}

func (s *scanner) skip(n uint64) {
	if s.err != nil {
		return
	}
	if n > maxHeaderBytes {
		s.fail("its metadata has a text of %d bytes", n)
		return
	}
	_, s.err = s.r.Discard(int(n))
	s.offset += int64(n) //nolint:gosec // bounded above
}

// fixed reads an unsigned number of n bytes, at most 8.
func (s *scanner) fixed(n int) uint64 {
	var word [8]byte
	copy(word[:], s.bytes(n))
	return binary.LittleEndian.Uint64(word[:])
}

func (s *scanner) uint32() uint32 { return uint32(s.fixed(4)) } //nolint:gosec // four bytes
func (s *scanner) uint64() uint64 { return s.fixed(8) }

// text reads a text that is kept; what names it in errors.
func (s *scanner) text(what string) string {
	n := s.uint64()
	if n > maxTextBytes {
		s.fail("its %s is %d bytes long", what, n)
	}
	if s.err != nil {
		return ""
	}
	return string(s.bytes(int(n))) //nolint:gosec // bounded above
}
