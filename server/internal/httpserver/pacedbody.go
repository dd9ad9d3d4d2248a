package httpserver

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// bodyFailure is why a body was not taken.
type bodyFailure struct {
	code int // of HTTP
	err  *errs.Error
}

func tooLarge(limit int64) *bodyFailure {
	return &bodyFailure{http.StatusRequestEntityTooLarge,
		errs.New(errs.InvalidRequest, "the body is too large; at most %d bytes are taken here", limit)}
}

func tooMany() *bodyFailure {
	return &bodyFailure{http.StatusTooManyRequests,
		errs.New(errs.QueueFull, "too many large requests are at work")}
}

func tooSlow() *bodyFailure {
	return &bodyFailure{http.StatusRequestTimeout,
		errs.New(errs.DeadlineExceeded, "the body came too slowly")}
}

// pacedBody ends callers who send so slowly that they only hold the connection.
// The deadline is lifted at the body's end: what follows may take its time. It
// stays after a failure, or net/http would wait for the rest of the body.
type pacedBody struct {
	io.ReadCloser           // the body up to its limit
	raw           io.Reader // the body, of which linger takes what is left
	control       *http.ResponseController
	patience      time.Duration // the most that a caller may have in hand
	limit         int64
	read          int64
	held          reservation
	failure       atomic.Pointer[bodyFailure]
	// streamed bodies are read at their reader's pace, which is not the caller's
	// fault.
	streamed bool

	// reading is held by who reads: who sends a recording on may still wait for
	// more of it when the answer is there.
	reading sync.Mutex

	mu        sync.Mutex
	deadline  time.Time // when the next bytes have to be there
	rested    time.Time // when the last Read of a streamed body ended
	ended     bool
	abandoned bool
}

// errAbandoned is what reads a body that nobody wants any more.
var errAbandoned = errors.New("the answer came before the end of the body")

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if f := b.failure.Load(); f != nil {
		return 0, f.err
	}
	if !b.await() {
		return 0, errAbandoned
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if !b.held.grow(b.read) {
		b.fail(tooMany())
		return 0, b.failure.Load().err
	}
	return n, b.came(n, err)
}

// await sets the time for the next bytes; false if nobody wants them.
func (b *pacedBody) await() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.abandoned {
		return false
	}
	if b.streamed && !b.rested.IsZero() {
		b.deadline = b.deadline.Add(time.Since(b.rested))
	}
	// Connections that know no deadlines are not our listeners'.
	_ = b.control.SetReadDeadline(b.deadline)
	return true
}

// came notes what a Read brought and how it ended, and returns its error. What
// came gives the caller time for more, but never more than the patience: what it
// once sent fast pays for no long silence.
func (b *pacedBody) came(n int, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deadline = b.deadline.Add(time.Duration(n) * time.Second / bodyPace)
	if most := time.Now().Add(b.patience); b.deadline.After(most) {
		b.deadline = most
	}
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		b.ended = true
		_ = b.control.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded) && b.abandoned:
		return errAbandoned
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.fail(tooSlow())
	case errors.As(err, &large):
		b.fail(tooLarge(b.limit))
	case err == nil && b.streamed && !b.abandoned:
		// Over HTTP/2 the deadline would break the body while nobody reads.
		_ = b.control.SetReadDeadline(time.Time{})
		b.rested = time.Now()
	}
	return err
}

// abandon ends the Reads to come: the answer does not need the rest of the body.
func (b *pacedBody) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.abandoned = true
}

// left tells whether some of the body has not been read.
func (b *pacedBody) left() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.ended
}

// linger sends the answer, and then takes what is left of the body: many clients
// send all of it before they look for an answer, and a connection that is closed
// with bytes unread is reset, and the answer with it lost (RFC 9112, section 9.6).
func (b *pacedBody) linger(w http.ResponseWriter, http1 bool) {
	if !b.left() {
		return
	}
	b.rush(http1)
	if http1 && b.failure.Load() != nil && b.failure.Load().code == http.StatusRequestTimeout {
		return // nothing is coming
	}
	if http1 {
		_ = http.NewResponseController(w).Flush() // the caller has left if this fails
	}
	b.reading.Lock() // who still waits for more has got it, or waits no longer
	defer b.reading.Unlock()
	if !http1 || !b.left() {
		return // HTTP/2 gives the stream up, not the connection
	}
	_, _ = io.CopyN(io.Discard, b.raw, lingerBytes)
}

// rush gives the rest of the body only a moment, and none if nobody takes it.
func (b *pacedBody) rush(taken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.abandoned = true
	until := time.Unix(1, 0)
	if taken {
		until = time.Now().Add(lingerTime)
		if b.streamed && !b.rested.IsZero() {
			b.deadline = b.deadline.Add(time.Since(b.rested))
		}
		if b.deadline.Before(until) {
			until = b.deadline
		}
	}
	_ = b.control.SetReadDeadline(until)
}

// Close implements io.Closer. Over HTTP/1 it reads what is left, up to a bound.
func (b *pacedBody) Close() error {
	err := b.ReadCloser.Close()
	if err == nil && b.failure.Load() == nil {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return err
}

// fail keeps the first failure.
func (b *pacedBody) fail(f *bodyFailure) { b.failure.CompareAndSwap(nil, f) }
