package httpserver

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/config"
)

const (
	// bodyPatience is what a caller has for its body before its pace counts.
	bodyPatience = 30 * time.Second
	// bodyPace is the slowest that a body may come after that, in bytes a
	// second.
	bodyPace = 8 << 10
	// bodyRest is how long the rest of a body is waited for that is not wanted.
	bodyRest = 500 * time.Millisecond
	// smallBody bounds the bodies of requests that carry no audio, in bytes.
	smallBody = 4 << 20
	// largeBodies bounds all bodies above smallBody that are at work at once, in
	// bytes. Decoding takes several times as much memory.
	largeBodies = 256 << 20
)

// bodyGuard bounds the size of bodies, the time that they may take and what all
// large ones are together.
type bodyGuard struct {
	next     http.Handler
	small    int64
	large    int64
	patience time.Duration
	inFlight *semaphore.Weighted
}

// newBodyGuard guards next. Bodies are JSON, in which audio is a third longer.
// patience 0 is the default.
func newBodyGuard(limits config.Limits, patience time.Duration, next http.Handler) *bodyGuard {
	if patience == 0 {
		patience = bodyPatience
	}
	large := largestBody(limits)
	return &bodyGuard{
		next: next, small: min(smallBody, large), large: large, patience: patience,
		inFlight: semaphore.NewWeighted(max(largeBodies, large) + reservationStep),
	}
}

// largestBody is what the largest message takes as JSON, in bytes.
func largestBody(limits config.Limits) int64 { return int64(limits.MaxRequestMB) << 20 * 4 / 3 }

// ServeHTTP implements http.Handler.
func (g *bodyGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || streamsUp(r) {
		g.next.ServeHTTP(w, r)
		return
	}
	limit, free := g.small, g.small
	switch {
	case streamsAudio(r):
		limit, free = math.MaxInt64, math.MaxInt64
	case carriesAudio(r):
		limit = g.large
	}
	b := &pacedBody{
		ReadCloser: http.MaxBytesReader(w, r.Body, limit),
		control:    http.NewResponseController(w),
		deadline:   time.Now().Add(g.patience),
		held:       reservation{all: g.inFlight, free: free},
		limit:      limit,
		streamed:   limit == math.MaxInt64,
	}
	defer b.held.release()
	answer := &guardedWriter{ResponseWriter: w, caller: r.Clone(r.Context()), body: b}
	// net/http reads on before it answers, if the handler does not.
	_ = b.control.SetReadDeadline(b.deadline)
	switch {
	case r.ContentLength > limit:
		b.fail(tooLarge(limit))
	case !b.held.grow(r.ContentLength):
		b.fail(tooMany())
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		// Nobody reads it, so that its end would come while the answer is written.
		_, _ = io.Copy(io.Discard, b)
	}
	if b.failure.Load() == nil {
		r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, b))
		r.Body = b
		g.next.ServeHTTP(answer, r)
	}
	b.settle()
	if b.failure.Load() != nil {
		answer.WriteHeader(http.StatusOK) // is replaced by the failure, if none has been sent
	}
}

// carriesAudio tells whether a request may have a large body: audio, or a
// model's own message.
func carriesAudio(r *http.Request) bool {
	p := r.URL.Path
	switch path.Base(p) {
	case "Recognize", "Pronunciation", "PushAudio", "ExecuteTask", "Invoke":
		return isRPC(r)
	}
	return p == transcribePath || p == pronunciationPath || strings.HasPrefix(p, "/v1/tasks/") ||
		strings.HasPrefix(p, "/v1/models/") && strings.HasSuffix(p, ":invoke") ||
		strings.HasPrefix(p, "/v1/transcriptions/") && strings.HasSuffix(p, ":push")
}

// streamsAudio tells whether a request's body is a recording that goes to the
// engine while it comes. It is never held as a whole, so its size is bounded by
// nothing but what the engine takes.
func streamsAudio(r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.Path != transcribePath {
		return false
	}
	form, _ := formOf(r)
	return form == formAudio || form == formMultipart
}

// streamsUp tells whether a request's body goes on for as long as someone
// speaks. gRPC bounds its messages.
func streamsUp(r *http.Request) bool {
	switch path.Base(r.URL.Path) {
	case "Transcribe", "StreamTranscribe":
		return isRPC(r)
	}
	return false
}

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
	io.ReadCloser
	control *http.ResponseController
	limit   int64
	read    int64
	held    reservation
	failure atomic.Pointer[bodyFailure]
	// streamed bodies are read at their reader's pace, which is not the caller's
	// fault.
	streamed bool

	mu        sync.Mutex
	deadline  time.Time
	rested    time.Time // when the last Read of a streamed body ended
	ended     bool
	abandoned bool
}

// errAbandoned is what reads a body that nobody wants any more.
var errAbandoned = errors.New("the answer came before the end of the body")

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
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
	return n, b.came(err)
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
	_ = b.control.SetReadDeadline(b.due())
	return true
}

// due is when the caller is too slow, for what it has sent. mu is held.
func (b *pacedBody) due() time.Time {
	return b.deadline.Add(time.Duration(b.read) * time.Second / bodyPace)
}

// came notes how a Read ended, and returns its error.
func (b *pacedBody) came(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var large *http.MaxBytesError
	switch {
	case err == nil && b.streamed && !b.abandoned:
		// Over HTTP/2 the deadline would break the body while nobody reads.
		_ = b.control.SetReadDeadline(time.Time{})
		b.rested = time.Now()
	case errors.Is(err, io.EOF):
		b.ended = true
		_ = b.control.SetReadDeadline(time.Time{})
	case errors.As(err, &large):
		b.fail(tooLarge(b.limit))
	case errors.Is(err, os.ErrDeadlineExceeded) && b.abandoned:
		return errAbandoned
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.fail(tooSlow())
	}
	return err
}

// abandon ends a Read that waits, and those to come: the answer does not need
// the rest of the body.
func (b *pacedBody) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.abandoned = true
		_ = b.control.SetReadDeadline(time.Unix(1, 0))
	}
}

// settle bounds what net/http does with the rest of a streamed body before it
// answers. It takes some of what is under way: a connection that is closed with
// that unread is reset, and the answer with it lost.
func (b *pacedBody) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.streamed || b.ended || b.failure.Load() != nil:
	case b.abandoned:
		_ = b.control.SetReadDeadline(time.Now().Add(bodyRest))
	default:
		_ = b.control.SetReadDeadline(b.due())
	}
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

type bodyKey struct{}

// messageTooLarge tells whether gRPC found a message larger than it takes. It
// has no other sign of it than the text.
func messageTooLarge(code codes.Code, message string) bool {
	return code == codes.ResourceExhausted && strings.HasPrefix(message, "grpc: received message") &&
		strings.Contains(message, "larger than max")
}

// tellTooLarge makes gRPC's refusal of a large message a failure of the body,
// as it is for the other limits.
func tellTooLarge(limits config.Limits, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		code, err := strconv.Atoi(w.Header().Get("Grpc-Status"))
		b, ok := r.Context().Value(bodyKey{}).(*pacedBody)
		if ok && err == nil && messageTooLarge(codes.Code(code), w.Header().Get("Grpc-Message")) { //nolint:gosec // gRPC's codes
			b.fail(tooLarge(int64(limits.MaxRequestMB) << 20))
		}
	})
}
