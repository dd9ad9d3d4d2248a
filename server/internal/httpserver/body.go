package httpserver

import (
	"context"
	"io"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

const (
	// bodyPatience is what a caller has for its body before its pace counts, and
	// the longest silence that its pace may earn.
	bodyPatience = 30 * time.Second
	// bodyPace is the slowest that a body may come after that, in bytes a
	// second.
	bodyPace = 8 << 10
	// lingerTime and lingerBytes bound what is taken of a body after its answer.
	lingerTime  = 5 * time.Second
	lingerBytes = 64 << 20
	// smallBody bounds the bodies of requests that carry no audio, in bytes.
	smallBody = 4 << 20
	// freeBody is what a body may hold that shares no bound with others, in bytes.
	freeBody = 64 << 10
	// largeBodies bounds what is held of all larger bodies and of messages that are
	// at work at once, in bytes. Decoding takes several times as much memory.
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
func newBodyGuard(limits config.Limits, inFlight *semaphore.Weighted, patience time.Duration, next http.Handler) *bodyGuard {
	if patience == 0 {
		patience = bodyPatience
	}
	large := largestBody(limits)
	return &bodyGuard{
		next: next, small: min(smallBody, large), large: large, patience: patience,
		inFlight: inFlight,
	}
}

// newInFlight makes what all bodies and messages share that are at work at once.
func newInFlight(limits config.Limits) *semaphore.Weighted {
	return semaphore.NewWeighted(max(largeBodies, largestBody(limits)) + reservationStep)
}

// largestBody is what the largest message takes as JSON, in bytes.
func largestBody(limits config.Limits) int64 { return int64(limits.MaxRequestMB) << 20 * 4 / 3 }

// ServeHTTP implements http.Handler.
func (g *bodyGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || streamsUp(r) {
		g.next.ServeHTTP(w, r)
		return
	}
	limit, most := g.small, int64(0)
	switch {
	case streamsAudio(r):
		limit, most = math.MaxInt64, aheadOf(r)
	case carriesAudio(r):
		limit = g.large
	}
	b := &pacedBody{
		ReadCloser: http.MaxBytesReader(w, r.Body, limit),
		raw:        r.Body,
		control:    http.NewResponseController(w),
		patience:   g.patience,
		deadline:   time.Now().Add(g.patience),
		held:       reservation{all: g.inFlight, free: freeBody, most: most},
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
	// What is small reserves as it comes: a length alone holds nothing from others.
	case r.ContentLength > g.small && !b.streamed && !b.held.grow(r.ContentLength):
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
	if b.failure.Load() != nil {
		answer.WriteHeader(http.StatusOK) // is replaced by the failure, if none has been sent
	}
	b.held.release()
	b.linger(answer, answer.caller.ProtoMajor == 1)
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
// engine while it comes. Only its beginning is held, so its size is bounded by
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
