package bodies

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// body is the body of a request within the bounds of its route. A client that
// sends too slowly, too much, or more than the server has memory for, makes it
// fail; the guard answers with that failure.
//
// The read deadline of the connection is removed at the end of the body: the
// work may take longer. After a failure it stays, or net/http would wait for the
// rest of the body.
type body struct {
	raw         io.ReadCloser // of net/http, unbounded
	writer      http.ResponseWriter
	control     *http.ResponseController
	length      int64 // Content-Length; -1 if unknown
	small       int64
	large       int64
	readTimeout time.Duration
	pool        *inflight.Pool
	caller      string
	reservation *inflight.Reservation
	ctx         context.Context // of the request
	cancel      context.CancelFunc
	failure     atomic.Pointer[failure]

	// Of the policy.
	bounded io.ReadCloser // raw up to limit
	limit   int64
	audio   bool       // read ahead of the engine; other bodies are read as a whole
	stream  bool       // of messages; see messageBody
	ahead   *readAhead // of an audio stream

	// reading is held by the goroutine that reads: the one that sends a recording
	// to the engine may still wait for more of it when the answer has come.
	reading sync.Mutex
	read    int64 // bytes so far

	mu       sync.Mutex
	deadline time.Time // when the next bytes must have arrived
	paused   time.Time // when the last Read of an audio stream ended
	ended    bool
	stopped  bool
}

func newBody(g *Guard, w http.ResponseWriter, r *http.Request) *body {
	b := &body{
		raw:         r.Body,
		writer:      w,
		control:     http.NewResponseController(w),
		length:      r.ContentLength,
		small:       g.small,
		large:       g.large,
		readTimeout: g.readTimeout,
		deadline:    time.Now().Add(g.readTimeout),
		pool:        g.pool,
		caller:      peers.Caller(r.Context()),
	}
	b.ctx, b.cancel = context.WithCancel(r.Context())
	b.reservation = g.pool.Reserve(inflight.Options{Free: unreservedBytes, Caller: b.caller})
	b.bound(g.small)
	return b
}

func (b *body) bound(limit int64) {
	b.limit = limit
	b.bounded = http.MaxBytesReader(b.writer, b.raw, limit-b.read)
}

// apply sets the bounds of a policy, and reports whether the body may pass as
// far as its Content-Length shows. A route that another one calls may apply its
// own policy; the last one counts.
func (b *body) apply(p Policy) bool {
	b.audio, b.stream = p.kind == audioStream, p.kind == messageStream
	switch p.kind {
	case messageStream:
		return true // see messageBody
	case audioStream:
		b.bound(math.MaxInt64)
		b.startAhead()
	case large:
		b.bound(b.large)
	default:
		b.bound(b.small)
	}
	// A body reserves memory as it arrives: a Content-Length alone must not keep
	// others out.
	b.reservation.SetMax(p.held)
	if b.length > b.limit {
		b.fail(tooLarge(b.limit))
	}
	return b.failure.Load() == nil
}

// ErrStopped is the error of reading a body after StopReading.
var ErrStopped = errors.New("the request was answered before its body ended")

// StopReading ends the reading of the body of the request that w answers, if
// it has one: the handler has its answer and needs no more of the body.
func StopReading(w http.ResponseWriter) {
	if b := bodyOf(w); b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.stopped = true
	}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.audio {
		return b.readFromAhead(p)
	}
	return b.readBounded(p)
}

// readBounded reads from the connection.
func (b *body) readBounded(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if f := b.failure.Load(); f != nil {
		return 0, f.err
	}
	if !b.beforeRead() {
		return 0, ErrStopped
	}
	n, err := b.bounded.Read(p)
	b.read += int64(n)
	if !b.reservation.Grow(b.memory(b.read)) {
		b.fail(tooMany())
		return 0, b.failure.Load().err
	}
	return n, b.afterRead(n, err)
}

// memory returns how much memory so many bytes of the body take. A body that is read
// as a whole is copied when it is decoded.
func (b *body) memory(bytes int64) int64 {
	if b.audio || bytes <= unreservedBytes {
		return bytes
	}
	return copies * bytes
}

// beforeRead sets the deadline for the next bytes. It reports false after
// StopReading.
func (b *body) beforeRead() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	b.addPause()
	// An error means a connection without deadlines, which no listener of ours
	// accepts.
	_ = b.control.SetReadDeadline(b.deadline)
	return true
}

// setReadDeadline sets the deadline of a stream of messages. It reports false when
// the service has answered.
func (b *body) setReadDeadline(deadline time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	_ = b.control.SetReadDeadline(deadline) // see beforeRead
	return true
}

// addPause extends the deadline of an audio stream by the time since the last
// Read. mu is held.
func (b *body) addPause() {
	if b.audio && !b.paused.IsZero() {
		b.deadline = b.deadline.Add(time.Since(b.paused))
	}
}

// afterRead accounts for what a Read returned, and returns its error in our
// words.
func (b *body) afterRead(n int, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deadline = inflight.Extend(b.deadline, n, time.Now().Add(b.readTimeout))
	var exceeded *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		b.endLocked()
	case errors.Is(err, os.ErrDeadlineExceeded) && b.stopped:
		return ErrStopped
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.fail(tooSlow())
	case errors.As(err, &exceeded):
		b.fail(tooLarge(b.limit))
	case errors.Is(err, io.ErrUnexpectedEOF):
		b.fail(cutOff(b.read, b.length))
		return b.failure.Load().err
	case err == nil && b.audio && !b.stopped:
		// Over HTTP/2 the deadline would end the body during the pause.
		_ = b.control.SetReadDeadline(time.Time{})
		b.paused = time.Now()
	}
	return err
}

func (b *body) isStopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stopped
}

// end says that the whole body has been read.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endLocked()
}

// endLocked says that the whole body has been read. From now on net/http reads the
// connection of HTTP/1, to see when the client goes: a deadline would look like that,
// and end the requests that follow on the connection. mu is held.
func (b *body) endLocked() {
	b.ended = true
	_ = b.control.SetReadDeadline(time.Time{})
}

// unread reports whether a part of the body has not been read.
func (b *body) unread() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.ended
}

// discardRest sends the answer and then reads the rest of the body. Many clients
// send all of it before they look for an answer; a connection that is closed
// with unread bytes is reset, and the answer is lost (RFC 9112, section 9.6).
func (b *body) discardRest(w http.ResponseWriter, http1 bool) {
	if !b.unread() {
		return
	}
	b.setDiscardDeadline(http1)
	if f := b.failure.Load(); http1 && f != nil && f.code == http.StatusRequestTimeout {
		return // the client sends nothing
	}
	if http1 {
		_ = http.NewResponseController(w).Flush() // fails only if the client is gone
	}
	b.reading.Lock() // a Read under way ends at the deadline
	defer b.reading.Unlock()
	if !http1 || !b.unread() {
		return // HTTP/2 resets the stream, not the connection
	}
	_, _ = io.CopyN(io.Discard, b.raw, maxDiscardBytes)
}

// setDiscardDeadline bounds the time for the rest of the body, or ends Reads at
// once if it is not to be read.
func (b *body) setDiscardDeadline(discard bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	if b.ended {
		return
	}
	until := time.Unix(1, 0)
	if discard {
		until = time.Now().Add(discardTimeout)
		b.addPause()
		if !b.stream && b.deadline.Before(until) {
			until = b.deadline
		}
	}
	_ = b.control.SetReadDeadline(until)
}

// Close implements io.Closer. Over HTTP/1 it reads the rest, up to the limit.
func (b *body) Close() error {
	err := b.bounded.Close()
	if err == nil && b.failure.Load() == nil {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return err
}

// fail keeps the first failure.
func (b *body) fail(f *failure) { b.failure.CompareAndSwap(nil, f) }
