package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// This file decides why a call to a worker failed. No other code waits for the
// end of a process to find that out. The lifecycle manager can only overrule
// it: a worker that the manager ends fails its requests with the manager's
// reason, which is set before the process is told to end.

// ErrEnded is in the chain of the errors of all calls that failed because their
// worker ended, whether it crashed or was ended. It tells one loss of a worker,
// which fails many calls, from failures of single calls.
var ErrEnded = errors.New("the worker ended")

// exitWait is how long a failed call waits for the end of the process. The
// connection of a process that ends breaks a moment before the process is
// reaped, and only then its signal or exit code is known.
const exitWait = time.Second

// failures explains why calls to one worker failed.
type failures struct {
	model string
	// ended is closed when the worker has ended. exitError returns why after
	// that; nil if it was stopped.
	ended     <-chan struct{}
	exitError func() error
}

// explain returns why a call failed: with what the engine answered, or, if the
// connection broke, how the process ended. ctx is the call's.
func (f *failures) explain(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil || answered(err) {
		return err
	}
	switch errs.ReasonOf(err) {
	case errs.EngineCrashed, errs.Internal, errs.Cancelled, errs.DeadlineExceeded:
		return f.broken(ctx, err)
	default:
		return err
	}
}

// broken explains a call that ended without an answer of the engine.
func (f *failures) broken(ctx context.Context, err error) error {
	if f.awaitEnd(ctx) {
		if exit := f.exitError(); exit != nil {
			return exit
		}
		return errs.New(errs.EngineCrashed, "the engine of model %q was stopped", f.model).
			WithCause(fmt.Errorf("%w: %w", ErrEnded, err)).With("model", f.model)
	}
	if code := status.Code(err); ctx.Err() == nil && (code == codes.Unavailable || code == codes.Canceled) {
		return errs.New(errs.EngineCrashed, "the connection to the engine of model %q broke", f.model).WithCause(err)
	}
	return err
}

// awaitEnd waits for the worker's end and reports whether it came in time.
func (f *failures) awaitEnd(ctx context.Context) bool {
	timer := time.NewTimer(exitWait)
	defer timer.Stop()
	select {
	case <-f.ended:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// answered reports whether the error is the engine's own answer, which carries a
// reason. The connection is in order then.
func answered(err error) bool {
	st, ok := status.FromError(err)
	return ok && len(st.Details()) > 0
}

// runStream is the stream of a Run whose errors are explained.
type runStream struct {
	enginev1.Engine_RunClient
	failures *failures
	ctx      context.Context // of the call; the stream's own ends with the stream
}

// Recv implements enginev1.Engine_RunClient.
func (s *runStream) Recv() (*enginev1.RunResponse, error) {
	resp, err := s.Engine_RunClient.Recv()
	if status.Code(err) == codes.ResourceExhausted && errs.ReasonOf(err) == errs.InvalidRequest {
		return nil, errs.New(errs.Internal, "the answer of the engine is too large for one message").WithCause(err)
	}
	return resp, s.failures.explain(s.ctx, err)
}

// Send implements enginev1.Engine_RunClient.
func (s *runStream) Send(req *enginev1.RunRequest) error {
	return s.failures.explain(s.ctx, s.Engine_RunClient.Send(req))
}
