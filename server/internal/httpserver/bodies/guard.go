// Package bodies bounds the bodies of requests: their size, the time in which
// they must arrive, and the memory that all of them hold together.
//
// A Guard wraps all routes and gives every body the policy Small. A route that
// takes more states its own policy with With or Choose.
package bodies

import (
	"io"
	"net/http"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

const (
	// discardTimeout and maxDiscardBytes bound what is read of a body after its
	// answer.
	discardTimeout  = 5 * time.Second
	maxDiscardBytes = 64 << 20
	// maxSmallBytes is the size of the policy Small, in bytes.
	maxSmallBytes = 4 << 20
	// unreservedBytes is the size up to which a body needs no reservation, so that
	// small requests pass while large ones fill the pool, in bytes.
	unreservedBytes = 64 << 10
	// copies is how many times the bytes of a whole body are in memory while it is
	// decoded.
	copies = 2
	// poolBytes is the memory of all larger bodies and messages together, in bytes.
	poolBytes = 256 << 20
)

// Guard is a handler that bounds the bodies of all requests to the next one.
type Guard struct {
	next        http.Handler
	small       int64 // bytes
	large       int64 // bytes
	readTimeout time.Duration
	pool        *inflight.Pool
}

// NewGuard returns a guard of next. The bodies that it holds count in pool.
// readTimeout 0 is inflight.SendTimeout.
func NewGuard(limits config.Limits, pool *inflight.Pool, readTimeout time.Duration, next http.Handler) *Guard {
	if readTimeout == 0 {
		readTimeout = inflight.SendTimeout
	}
	large := MaxJSONBytes(limits)
	return &Guard{next: next, small: min(maxSmallBytes, large), large: large, readTimeout: readTimeout, pool: pool}
}

// NewPool returns the memory that large bodies and messages share. The share of one
// peer, three quarters, is enough for the largest body.
func NewPool(limits config.Limits) *inflight.Pool {
	return inflight.NewPool(max(poolBytes, copies*MaxJSONBytes(limits)*4/3) + 2*inflight.Step)
}

// MaxJSONBytes returns the size of the largest message as JSON, where audio is
// base64 and so a third longer.
func MaxJSONBytes(limits config.Limits) int64 { return int64(limits.MaxRequestMB) << 20 * 4 / 3 }

// ServeHTTP implements http.Handler.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		g.next.ServeHTTP(w, r)
		return
	}
	b := newBody(g, w, r)
	defer b.cancel()
	defer b.reservation.Release()
	defer b.closeAhead()
	answer := &responseWriter{ResponseWriter: w, request: r.Clone(r.Context()), body: b}
	// If the handler does not read the body, net/http does before it answers.
	_ = b.control.SetReadDeadline(b.deadline)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		// No handler reads the body of a GET. Read it now: net/http would cancel
		// the request if the body broke off during the answer.
		if b.apply(Small) {
			_, _ = io.Copy(io.Discard, b)
		}
	}
	if b.failure.Load() == nil {
		r = r.WithContext(b.ctx)
		r.Body = b
		g.next.ServeHTTP(answer, r)
	}
	if b.failure.Load() != nil {
		answer.WriteHeader(http.StatusOK) // sends the failure, unless the answer has begun
	}
	b.reservation.Release()
	b.closeAhead()
	b.discardRest(answer, r.ProtoMajor == 1)
	b.awaitAhead()
}
