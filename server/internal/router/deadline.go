package router

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Where a deadline becomes an answer, stage by stage. Files of other packages are
// below server/internal/.
//
// The deadline is that of the call's context. The gRPC server sets it, also for
// gRPC-Web and Connect. For REST and WebSockets grpc-gateway sets it first, from
// the header Grpc-Timeout; the client's side of the connection inside this process
// then usually notices before the stages below that it has passed, and the error
// has no details (httpserver/rest/rest.go). A session has no deadline:
// api/sessions.go drops that of the stream that opened it.
//
//   - The request waits for its first audio: awaitFirst in replay.go makes the
//     error, with errs.From.
//   - The deadline has passed when the request asks for a lease: acquire in
//     lifecycle/owner.go.
//   - It cannot be met, by the learned load time and the queue: refuseLate in
//     lifecycle/queue.go, at once. acquire calls it, and sized in lifecycle/size.go
//     when the load time is known.
//   - No memory becomes free before it: refuseUnplaceable in lifecycle/place.go,
//     as soon as that is known. This error is MEMORY_BUSY.
//   - It passes while the request waits for its model: await in
//     lifecycle/manager.go, then giveUp in lifecycle/owner.go. The error is
//     deadlineError in lifecycle/explain.go. A load continues: missedDeadline in
//     lifecycle/process.go.
//   - It passes while the request has its lease: requestError in relay.go makes
//     the error, with errs.From. The worker has the deadline too.
//   - Another candidate could answer: the attempt on a model ends earlier, to leave
//     that candidate time. outputTimer, below, ends it, and errorOf makes the error.
//
// What a passed deadline says about the worker is decided in leaseEnded in
// lifecycle/liveness.go, and about the model in isModelFailure in breaker.go.

const (
	// One fallbackDivisor-th of the time to the deadline is reserved for the next
	// candidate, but at most maxFallbackTime.
	fallbackDivisor = 3
	maxFallbackTime = 10 * time.Second
)

// errNoOutputInTime is the cause of the error of an attempt that was ended to
// leave time for another candidate. It wraps the error of a deadline, so that
// the lifecycle manager lets a load that took too long finish.
var errNoOutputInTime = fmt.Errorf("no output before the time that is reserved for the next candidate: %w", context.DeadlineExceeded)

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
	t.timer = time.AfterFunc(left-min(left/fallbackDivisor, maxFallbackTime), func() {
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

// errorOf returns the error of an attempt that failed with err, nil if err is.
// If the attempt's output timer ended it, err is only that the attempt's context
// was cancelled, and errorOf returns DEADLINE_EXCEEDED with the cause
// errNoOutputInTime. It returns err if the call has ended too, or if the attempt
// failed for another reason. ctx is the attempt's context, callCtx the call's.
func (a *attempt) errorOf(ctx, callCtx context.Context, err error) error {
	if callCtx.Err() != nil || !errors.Is(context.Cause(ctx), errNoOutputInTime) {
		return err
	}
	if r := errs.ReasonOf(err); r != errs.Cancelled && r != errs.DeadlineExceeded {
		return err
	}
	return errs.New(errs.DeadlineExceeded, "model %q produced no output in its share of the time to the deadline", a.model).
		WithCause(errNoOutputInTime).With("model", a.model)
}
