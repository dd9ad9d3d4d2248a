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
// end of a process to find that out. Only the lifecycle manager overrules it: if
// the manager ends a worker, the requests fail with the manager's reason, which it
// sets before it stops the process.

// ErrEnded is in the chain of the error of each call that failed because its worker
// crashed or was ended. The end of a worker fails many calls and is one failure.
var ErrEnded = errors.New("the worker ended")

// ErrOutOfMemory is in the chain, too, if the kernel killed the worker because it had no
// memory left.
var ErrOutOfMemory = errors.New("the kernel had no memory left")

// exitWait is how long a failed call waits for the end of the process. The
// connection of a process that ends breaks a moment before the process is
// reaped, and only then its signal or exit code is known.
const exitWait = time.Second

// failures explains why calls to one worker failed.
type failures struct {
	model string
	// folders are not named in errors of the worker.
	folders []string
	// ended is closed when the worker has ended. exitError returns why after
	// that; nil if it was stopped.
	ended     <-chan struct{}
	exitError func() error
}

// explain returns why a call failed: what the engine answered or, if the connection
// broke, how the process ended. ctx is the call's.
func (f *failures) explain(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil {
		return err
	}
	reason := errs.ReasonOf(err)
	if answered(err) && reason != errs.Draining {
		return errs.From(err).Rewrite(f.hide)
	}
	switch reason {
	// A worker that got SIGTERM answers that it drains. If the server has sent it, the
	// manager knows why; else it is a crash.
	case errs.EngineCrashed, errs.Internal, errs.Cancelled, errs.DeadlineExceeded, errs.Draining:
		return f.broken(ctx, err)
	default:
		return err
	}
}

// broken returns why a call failed without an answer of the engine.
func (f *failures) broken(ctx context.Context, err error) error {
	if f.awaitEnd(ctx, exitWait) {
		if exit := f.exitError(); exit != nil {
			return exit
		}
		return errs.New(errs.EngineCrashed, "the engine of model %q was stopped", f.model).
			WithCause(fmt.Errorf("%w: %w", ErrEnded, err)).With("model", f.model)
	}
	if ctx.Err() == nil && errs.ReasonOf(err) == errs.Draining {
		return errs.New(errs.EngineCrashed, "the engine of model %q is stopping", f.model).
			WithCause(fmt.Errorf("%w: %w", ErrEnded, err)).With("model", f.model)
	}
	if code := status.Code(err); ctx.Err() == nil && (code == codes.Unavailable || code == codes.Canceled) {
		return errs.New(errs.EngineCrashed, "the connection to the engine of model %q broke", f.model).WithCause(err)
	}
	return err
}

// awaitEnd waits for the worker's end and reports whether it came in time.
func (f *failures) awaitEnd(ctx context.Context, atMost time.Duration) bool {
	timer := time.NewTimer(atMost)
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

// exitError returns why the process ended; nil if it was stopped or still runs.
func (p *process) exitError() error {
	p.mu.Lock()
	stopped, state, outOfMemory, silent := p.stopped, p.state, p.outOfMemory, p.silent
	p.mu.Unlock()
	if stopped || state == nil {
		return nil
	}
	what, how := "crashed", state.String() // e.g. "signal: killed", "exit status 3"
	if state.Success() {
		what = "ended by itself" // for example by SIGTERM, of which it closes the model
	}
	if silent && wasKilled(state) { // not one that was about to end by another signal
		what, how = "was killed", "it had ended its Watch stream, or the connection broke, and did not end by itself"
	}
	cause := fmt.Errorf("%w: %s", ErrEnded, how)
	if outOfMemory {
		what, how = "was killed by the kernel", p.memoryLimit()
		cause = fmt.Errorf("%w: %w", ErrEnded, ErrOutOfMemory)
	}
	if last := p.logs.lastLine(); last != "" {
		cause = withOutput(cause, last)
	}
	exit := errs.New(errs.EngineCrashed, "the engine %q of model %q %s (%s)", p.spec.Engine, p.spec.Model, what, how).
		WithCause(cause).With("model", p.spec.Model)
	if outOfMemory {
		exit = exit.With("cause", "OUT_OF_MEMORY")
	}
	return exit
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
