package engines

import "sync/atomic"

// WorkCounter counts units of work: tokens decoded, encoder windows, sentences,
// steps of a load. The server ends a worker that has requests but counts nothing,
// so count each unit when it is done, not when it begins.
//
// It is safe for concurrent use, and Add takes a few nanoseconds. In the tests of an
// engine the zero value can be used; a nil *WorkCounter ignores Add.
type WorkCounter struct {
	count atomic.Uint64
	wake  chan struct{}
}

func newWorkCounter() *WorkCounter {
	return &WorkCounter{wake: make(chan struct{}, 1)}
}

// Add counts n units. It ignores n below 1.
func (w *WorkCounter) Add(n int) {
	if w == nil || n < 1 {
		return
	}
	w.count.Add(uint64(n))
	w.signal()
}

// Count returns the number of units since the process started.
func (w *WorkCounter) Count() uint64 {
	if w == nil {
		return 0
	}
	return w.count.Load()
}

// signal wakes the Watch stream, once for any number of units before it wakes.
func (w *WorkCounter) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
