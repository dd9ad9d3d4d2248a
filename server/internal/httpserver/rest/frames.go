package rest

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// frameHeader is the size of what precedes each message of gRPC, gRPC-Web and of
// Connect's streams: a byte of flags, and the length.
const frameHeader = 5

// frames is a body of framed messages. It fails where the frames are not valid:
// the transcoder and grpc-go report that without a reason.
type frames struct {
	io.ReadCloser

	header []byte // as far as it has arrived
	left   uint32 // bytes of the message
	err    error
}

// Read implements io.Reader.
func (f *frames) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.ReadCloser.Read(p)
	if f.err = f.check(p[:n]); f.err != nil {
		return 0, f.err
	}
	if errors.Is(err, io.EOF) && (f.left > 0 || len(f.header) > 0) {
		f.err = errs.New(errs.InvalidRequest, "the request ended in the middle of a message")
		return n, f.err
	}
	return n, err
}

// check follows the frames through the bytes that arrive.
func (f *frames) check(data []byte) error {
	for len(data) > 0 {
		if f.left > 0 {
			n := min(int64(f.left), int64(len(data)))
			f.left -= uint32(n) //nolint:gosec // at most left
			data = data[n:]
			continue
		}
		if len(f.header) == 0 && data[0] > 1 {
			return errs.New(errs.InvalidRequest, "the flags of a message are %d; they must be 0, or 1 for a compressed message", data[0])
		}
		n := min(frameHeader-len(f.header), len(data))
		f.header, data = append(f.header, data[:n]...), data[n:]
		if len(f.header) == frameHeader {
			f.left, f.header = binary.BigEndian.Uint32(f.header[1:]), f.header[:0]
		}
	}
	return nil
}
