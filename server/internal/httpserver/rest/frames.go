package rest

import (
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// frames is a body of framed messages. It fails where the frames are not valid:
// the transcoder and grpc-go report that without a reason.
type frames struct {
	io.ReadCloser

	framing inflight.Framing
	err     error
}

// Read implements io.Reader.
func (f *frames) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.ReadCloser.Read(p)
	f.framing.Feed(p[:n], nil)
	if flags := f.framing.Flags(); flags > 1 {
		f.err = errs.New(errs.InvalidRequest, "the flags of a message are %d; they must be 0, or 1 for a compressed message", flags)
		return 0, f.err
	}
	if errors.Is(err, io.EOF) && f.framing.Partial() {
		f.err = errs.New(errs.InvalidRequest, "the request ended in the middle of a message")
		return n, f.err
	}
	return n, err
}
