package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// errNextFile means that a decoder's file ended and another one begins: some
// recordings are several files, one after the other. As the cause of an error, it
// means that the second one cannot be read.
var errNextFile = errors.New("another file begins")

// fileStarts are the bytes with which a file, or a tag before it, can begin.
const fileStarts = "\x00\x1a\x30\xff#.AFIORTcf"

// nextFile skips tags, and reports whether a file of a known format follows. It
// is false for bytes that may begin a file by chance.
func nextFile(r *bufio.Reader) (bool, error) {
	for {
		b, err := r.Peek(1)
		if err != nil || strings.IndexByte(fileStarts, b[0]) < 0 {
			return false, ignoreEOF(err)
		}
		skipped, err := skipTag(r)
		if err != nil {
			return false, err
		}
		if !skipped {
			break
		}
	}
	b, err := r.Peek(sniffBytes)
	if err := ignoreEOF(err); err != nil {
		return false, err
	}
	f := sniff(b)
	if f.encoding == mp3File && len(b) >= 4 {
		h := mp3Header(binary.BigEndian.Uint32(b))
		return mp3Follows(r, h, false)
	}
	if f.encoding == aacFile {
		_, ok, err := peekADTS(r, false)
		return ok, err
	}
	return f.name != "" && !f.weak, nil
}

// skipTag skips a tag of an MP3 file, and reports whether there was one: ID3
// before the sound, ID3v1 after it, or APE before or after it.
func skipTag(r *bufio.Reader) (bool, error) {
	b, err := r.Peek(3)
	if err != nil {
		return false, ignoreEOF(err)
	}
	size := int64(0)
	switch string(b) {
	case "ID3":
		b, err = r.Peek(10)
		if len(b) == 10 && b[3] < 0xff && b[4] < 0xff && (b[6]|b[7]|b[8]|b[9]) < 0x80 {
			size = id3Size(b)
		}
	case "TAG":
		size = 128
	case "APE":
		b, err = r.Peek(32)
		if len(b) == 32 && string(b[:8]) == "APETAGEX" {
			size = 32
			if b[23]&0x20 != 0 { // a header, whose items follow
				size += int64(binary.LittleEndian.Uint32(b[12:]))
			}
		}
	}
	if err := ignoreEOF(err); err != nil || size == 0 {
		return false, err
	}
	_, err = io.CopyN(io.Discard, r, size)
	return true, ignoreEOF(err)
}

// ignoreEOF returns err, or nil if it says that the input ended.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// placed returns the error about a file that follows others, with the time at
// which it begins.
func placed(err error, seconds float64) error {
	var typed *errs.Error
	if !errors.As(err, &typed) {
		return err
	}
	return errs.New(typed.Reason(), "the part of the audio that begins at %.1f s cannot be read: %s", seconds, typed.Message()).WithCause(err)
}
