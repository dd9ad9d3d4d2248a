package engines

import "sync/atomic"

// WorkCounter counts units of work: tokens decoded, encoder windows, sentences,
// steps of a load. The gateway takes a worker that is busy but counts nothing
// for a hung one, so count each unit when it is done, not when it is begun.
//
// It is safe for concurrent use and costs a few nanoseconds. The zero value
// counts, and a nil one ignores; both are fine in an engine's own tests.
type WorkCounter struct {
	count atomic.Uint64
	wake  chan struct{}
}

func newWorkCounter() *WorkCounter {
	return &WorkCounter{wake: make(chan struct{}, 1)}
}

// Add counts n more units; n below 1 counts nothing.
func (w *WorkCounter) Add(n int) {
	if w == nil || n < 1 {
		return
	}
	w.count.Add(uint64(n))
	w.signal()
}

// Count returns the units counted since the process started.
func (w *WorkCounter) Count() uint64 {
	if w == nil {
		return 0
	}
	return w.count.Load()
}

// signal wakes the Watch stream. A token that is waiting already says the same.
func (w *WorkCounter) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
