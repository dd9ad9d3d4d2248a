package router

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Where a caller's deadline becomes an answer.
//
// The deadline is that of the call's context. The answer is DEADLINE_EXCEEDED,
// which errs.From makes of the context's error:
//
//   - While the request waits for its model, lifecycle.Manager.Acquire returns
//     it. It returns at once if the deadline cannot be met.
//   - While the request waits for its first audio, replay.awaitFirst does.
//   - While the request is at work, cause in relay.go does.
//
// A worker has the deadline too, and may answer that it has passed before the
// timer of the context here has run. So callEnd reads the clock.
//
// If another candidate could answer, the attempt on a model ends earlier, to
// leave that candidate time. The timer for that is below.

const (
	// fallbackShare is the part of the time to the deadline that is kept for
	// another candidate, and maxFallbackTime the most of it.
	fallbackShare   = 3
	maxFallbackTime = 10 * time.Second
)

// errNoOutputInTime is the cause of the error of an attempt that was ended to
// leave time for another candidate. It wraps the error of a deadline, so that
// the lifecycle manager lets a load that took too long finish.
var errNoOutputInTime = fmt.Errorf("no output before the time of the next candidate: %w", context.DeadlineExceeded)

// callEnd returns why a call has ended: the error of its context, or that of a
// deadline that has passed. It is nil while the caller waits.
func callEnd(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// outputTimer ends an attempt that takes too long to produce its first output.
type outputTimer struct {
	timer *time.Timer // nil for no limit
	state atomic.Int32
}

// The states of an outputTimer. It begins in neither.
const (
	outputTimerStopped = iota + 1
	outputTimerExpired
)

// startOutputTimer starts the timer of an attempt; cancel ends the attempt. There
// is no limit without a deadline or without another candidate.
func (a *attempt) startOutputTimer(ctx context.Context, cancel context.CancelCauseFunc) *outputTimer {
	t := &outputTimer{}
	deadline, ok := ctx.Deadline()
	if !ok || !a.hasNext {
		return t
	}
	left := time.Until(deadline)
	t.timer = time.AfterFunc(left-min(left/fallbackShare, maxFallbackTime), func() {
		if t.state.CompareAndSwap(0, outputTimerExpired) {
			cancel(errNoOutputInTime)
		}
	})
	return t
}

// stop stops the timer. It returns false if the timer has ended the attempt.
func (t *outputTimer) stop() bool {
	if t.timer == nil {
		return true
	}
	t.timer.Stop()
	return t.state.CompareAndSwap(0, outputTimerStopped) || t.state.Load() == outputTimerStopped
}

// timedOut returns the error of an attempt, which is another one if its timer
// ended it. ctx is the attempt's, caller the call's.
func (a *attempt) timedOut(ctx, caller context.Context, err error) error {
	if !errors.Is(context.Cause(ctx), errNoOutputInTime) {
		return err
	}
	if r := errs.ReasonOf(err); r != errs.Cancelled && r != errs.DeadlineExceeded {
		return err
	}
	if end := callEnd(caller); end != nil {
		return errs.From(end)
	}
	return errs.New(errs.DeadlineExceeded, "model %q produced no output in its share of the time to the deadline; the rest is for another model", a.model).
		WithCause(errNoOutputInTime).With("model", a.model)
}
