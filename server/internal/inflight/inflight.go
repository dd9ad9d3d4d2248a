// Package inflight bounds the memory that all requests together hold while the
// server works on them: large bodies, WebSocket messages, and speech that waits
// until its length is known. Shares is how callers share that, and places.
//
// Ahead is what is read of a connection while its request is busy, so that the
// end of the connection is seen. Extend is how much time clients have to send.
package inflight

import "sync"

// Step is the smallest amount by which a reservation grows, in bytes.
const Step = 256 << 10

// Pool is an amount of memory that requests share.
type Pool struct{ *Shares }

// NewPool returns a pool of size bytes.
func NewPool(size int64) *Pool { return &Pool{NewShares(size)} }

// Size returns how many bytes there are.
func (p *Pool) Size() int64 { return p.size }

// Options are the bounds of one reservation.
type Options struct {
	// Free bytes need no reservation.
	Free int64
	// Caller is the caller of the request; see peers.Caller.
	Caller string
	// Spare is for memory that is useful but not necessary. It takes nothing of the
	// second half of the pool.
	Spare bool
}

// Reservation is what one request holds of a pool. Its methods may be called
// concurrently: gRPC may still read a body while its handler ends.
type Reservation struct {
	pool *Pool
	opts Options

	mu       sync.Mutex
	max      int64 // see SetMax
	held     int64
	released bool
}

// Reserve returns a reservation that holds nothing yet.
func (p *Pool) Reserve(opts Options) *Reservation { return &Reservation{pool: p, opts: opts} }

// Grow makes the reservation hold at least size bytes, and reports whether the
// pool had room. After Release it does nothing and returns true.
func (r *Reservation) Grow(size int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.max > 0 {
		size = min(size, r.max)
	}
	if size <= r.opts.Free || size <= r.held || r.released {
		return true
	}
	more := max(size-r.held, Step)
	if r.max > 0 {
		more = min(more, r.max-r.held)
	}
	limit := r.pool.size
	if r.opts.Spare {
		limit /= 2
	}
	if !r.pool.takeWithin(limit, r.opts.Caller, more) {
		return false
	}
	r.held += more
	return true
}

// Shrink returns what the reservation holds beyond size bytes and a step.
func (r *Reservation) Shrink(size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keep := size
	if size > 0 {
		keep += Step
	}
	if r.held > keep {
		r.pool.GiveBack(r.opts.Caller, r.held-keep)
		r.held = keep
	}
}

// SetMax sets the most bytes that the reservation holds, however many its owner
// reads; 0 means no limit. It must be called before the reservation holds any.
func (r *Reservation) SetMax(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.max = bytes
}

// Release returns all bytes to the pool.
func (r *Reservation) Release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pool.GiveBack(r.opts.Caller, r.held)
	r.held, r.released = 0, true
}
