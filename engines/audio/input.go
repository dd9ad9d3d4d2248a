package audio

import (
	"errors"
	"io"

	"github.com/dustin/go-humanize"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// input is an io.Reader over a Source. It limits the number of bytes and keeps the
// source's error, which decoders may replace by one of theirs.
type input struct {
	source   Source
	maxBytes int64

	chunk    []byte
	total    int64
	err      error // sticky
	inSource bool  // Source.Next is running: a panic is the source's, not a decoder's
}

// Read implements io.Reader. It returns the bytes of one call of the source at
// most: it does not wait to fill p.
func (in *input) Read(p []byte) (int, error) {
	for len(in.chunk) == 0 {
		if in.err != nil {
			return 0, in.err
		}
		in.inSource = true
		in.chunk, in.err = in.source.Next()
		in.inSource = false
		in.total += int64(len(in.chunk))
		if in.total > in.maxBytes {
			in.chunk = nil
			in.err = errs.New(errs.InvalidRequest, "the audio is larger than the limit of %s: send a smaller file",
				humanize.IBytes(uint64(in.maxBytes)))
		}
	}
	n := copy(p, in.chunk)
	in.chunk = in.chunk[n:]
	return n, nil
}

// failure returns the source's error, or nil if there is none or it is io.EOF.
func (in *input) failure() error {
	if errors.Is(in.err, io.EOF) {
		return nil
	}
	return in.err
}
