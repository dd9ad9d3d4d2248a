package onnxfile

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// errMalformed means that a file is not a valid protobuf message.
var errMalformed = errors.New("it is not an ONNX file or is incomplete")

// wireReader reads fields of a protobuf message in a file and skips all others, so that
// weights are not loaded. protobuf-go could replace it if it decoded messages from an
// io.ReaderAt.
type wireReader struct {
	file   io.ReaderAt
	window []byte // a part of the file
	start  int64  // offset of window in the file
}

// span is a range of bytes in the file.
type span struct{ from, to int64 }

func (s span) size() int64 { return s.to - s.from }

// field is a field of a message. Its data is a number in value or bytes in span.
type field struct {
	number protowire.Number
	value  uint64
	span   span
}

const windowBytes = 16 << 10

// at returns the bytes from offset to the end of the window, at least one.
func (r *wireReader) at(offset int64) ([]byte, error) {
	if i := offset - r.start; i >= 0 && i < int64(len(r.window)) {
		return r.window[i:], nil
	}
	if r.window == nil {
		r.window = make([]byte, windowBytes)
	}
	n, err := r.file.ReadAt(r.window[:cap(r.window)], offset)
	r.window, r.start = r.window[:n], offset
	if n == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			err = errMalformed
		}
		return nil, err
	}
	return r.window, nil
}

// varint reads a number at an offset of a message that ends at end.
func (r *wireReader) varint(offset, end int64) (value uint64, next int64, err error) {
	for shift := 0; shift < 64; shift += 7 {
		if offset >= end {
			return 0, 0, errMalformed
		}
		b, err := r.at(offset)
		if err != nil {
			return 0, 0, err
		}
		offset++
		value |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return value, offset, nil
		}
	}
	return 0, 0, errMalformed
}

// fields calls visit for the fields of a message that are numbers or bytes.
func (r *wireReader) fields(message span, visit func(field) error) error {
	for at := message.from; at < message.to; {
		tag, next, err := r.varint(at, message.to)
		if err != nil {
			return err
		}
		number, kind := protowire.DecodeTag(tag)
		if number < protowire.MinValidNumber {
			return errMalformed
		}
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.value, at, err = r.varint(next, message.to)
		case protowire.BytesType:
			var size uint64
			size, next, err = r.varint(next, message.to)
			if err == nil && size > uint64(message.to-next) { //nolint:gosec // next is at most message.to
				err = errMalformed
			}
			at = next + int64(size) //nolint:gosec // used only if size is within the file
			f.span = span{next, at}
		case protowire.Fixed32Type, protowire.Fixed64Type:
			at = next + 4
			if kind == protowire.Fixed64Type {
				at = next + 8
			}
			if at > message.to {
				err = errMalformed
			}
		default:
			err = errMalformed
		}
		if err != nil {
			return err
		}
		if kind == protowire.VarintType || kind == protowire.BytesType {
			if err := visit(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// text reads a text of at most 4 KiB.
func (r *wireReader) text(s span) (string, error) {
	const limit = 4 << 10
	if s.size() > limit {
		return "", errMalformed
	}
	data := make([]byte, s.size())
	if _, err := r.file.ReadAt(data, s.from); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return string(data), nil
}
