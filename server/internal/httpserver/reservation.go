package httpserver

import (
	"sync"

	"golang.org/x/sync/semaphore"
)

// reservationStep is by how much a body of unknown length reserves, in bytes.
const reservationStep = 256 << 10

// reservation is one body's part of what all large bodies may be together.
type reservation struct {
	all  *semaphore.Weighted
	free int64 // bytes that need no reservation
	most int64 // bytes that are held at most, however many come; 0 is any

	mu    sync.Mutex // gRPC may still read while the handler ends
	held  int64
	ended bool
}

// grow makes sure that size bytes are held, and tells whether there was room.
func (r *reservation) grow(size int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.most > 0 {
		size = min(size, r.most)
	}
	if size <= r.free || size <= r.held || r.ended {
		return true
	}
	more := max(size-r.held, reservationStep)
	if r.most > 0 {
		more = min(more, r.most-r.held)
	}
	if !r.all.TryAcquire(more) {
		return false
	}
	r.held += more
	return true
}

// release gives everything back.
func (r *reservation) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held > 0 {
		r.all.Release(r.held)
	}
	r.held, r.ended = 0, true
}
