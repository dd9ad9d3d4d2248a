package router

import (
	"context"
	"time"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// handover gives messages to a caller who may be slow to read them. While it is
// slow the lease is paused: the worker, which can send no more, must not look
// like one that hangs. A caller that takes too long for one message stalls the
// handover for good.
type handover struct {
	lease Lease
	emit  func(*enginev1.RunResponse) error
	// patience is how long the lease works on while a message is handed over,
	// and grace how long it is paused then; 0 is for ever.
	patience, grace time.Duration
	// taken tells the watch, once the caller was slow, that it has the message.
	taken chan struct{}
	// stalled is closed when the caller was too slow. Whether a message counts as
	// taken or stalled is settled by which of the two channels comes first.
	stalled chan struct{}
	// resume ends the lease's pause; set by the watch before it waits for taken.
	resume func(context.Context) error
}

func newHandover(lease Lease, slowReader time.Duration, emit func(*enginev1.RunResponse) error) *handover {
	h := &handover{lease: lease, emit: emit, patience: pauseAfter, taken: make(chan struct{}), stalled: make(chan struct{})}
	if slowReader > 0 {
		h.patience = min(pauseAfter, slowReader/2)
		h.grace = slowReader - h.patience
	}
	return h
}

// message hands one message over.
func (h *handover) message(ctx context.Context, resp *enginev1.RunResponse) error {
	slow := time.AfterFunc(h.patience, h.watch)
	var paused, stalled bool
	err := func() error {
		defer func() { paused, stalled = h.settle(slow) }() // even if emit panics
		return h.emit(resp)
	}()
	switch {
	case stalled:
		return errStalled
	case err != nil:
		return emitError{err}
	case paused:
		return h.resume(ctx)
	}
	return nil
}

// watch waits on a slow caller.
func (h *handover) watch() {
	h.resume = h.lease.Pause(false)
	var tooLong <-chan time.Time
	if h.grace > 0 {
		timer := time.NewTimer(h.grace)
		defer timer.Stop()
		tooLong = timer.C
	}
	select {
	case <-h.taken:
	case <-tooLong:
		close(h.stalled)
	}
}

// settle ends the watch, if it began: the lease is paused then, and Resume comes
// after that.
func (h *handover) settle(slow *time.Timer) (paused, stalled bool) {
	if slow.Stop() {
		return false, false
	}
	select {
	case h.taken <- struct{}{}:
		return true, false
	case <-h.stalled:
		return true, true
	}
}
