package audio

import (
	"errors"
	"io"

	"github.com/dustin/go-humanize"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// input is a Source as an io.Reader that counts what it gives. A failure other
// than the end is kept, so that it can be told from what a decoder makes of it.
type input struct {
	source   Source
	maxBytes int64

	chunk    []byte
	total    int64
	err      error // sticky
	inSource bool  // a panic now is the source's, not a decoder's
}

// Read implements io.Reader. It returns what one call of the source gave, or
// less: it never waits to fill p.
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
			in.err = errs.New(errs.InvalidRequest, "the audio is larger than the limit of %s",
				humanize.IBytes(uint64(in.maxBytes)))
		}
	}
	n := copy(p, in.chunk)
	in.chunk = in.chunk[n:]
	return n, nil
}

// failure returns why the bytes stopped, nil if they ended or go on.
func (in *input) failure() error {
	if errors.Is(in.err, io.EOF) {
		return nil
	}
	return in.err
}
