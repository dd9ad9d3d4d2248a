package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/worker"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// pauseAfter is how long a request waits for its caller, to send audio or to read
// what came out, before it gives the cores it works with to others.
const pauseAfter = 2 * time.Second

// errStalled is the cause of the error that a caller who reads nothing gets. Its
// sink is still at work then, and must not be touched.
var errStalled = errors.New("the caller does not read")

// relay sends a request to the lease's worker and hands over what it answers. If
// one message is not taken within slowReader (0: no limit) it returns while emit
// still runs: only the end of the caller's stream ends that.
func relay(ctx context.Context, lease Lease, req Request, slowReader time.Duration, emit func(*enginev1.RunResponse) error) error {
	run, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := newHandover(lease, slowReader, emit)
	var helpers sync.WaitGroup
	ended := make(chan error, 1)
	go func() { ended <- recovered(func() error { return exchange(run, cancel, &helpers, lease, req, h) }) }()
	var err error
	select {
	case err = <-ended:
	case <-h.stalled:
		err = errStalled
	}
	if err == nil && req.Audio != nil && run.Err() != nil {
		err = context.Cause(run) // the worker took broken audio for its end
	}
	if err != nil && !errors.Is(err, errStalled) {
		err = cause(ctx, run, err)
	}
	cancel(nil) // the worker has said all: more audio changes nothing
	helpers.Wait()
	var p *panicked
	if errors.As(err, &p) {
		panic(p) // where the call's guard sees it
	}
	if errors.Is(err, errStalled) {
		return errs.New(errs.DeadlineExceeded, "the caller read nothing for %s", slowReader).WithCause(errStalled)
	}
	return err
}

// panicked carries a panic from one goroutine to another.
type panicked struct {
	value any
	stack []byte
}

// Error implements error.
func (p *panicked) Error() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }

// recovered runs f and returns its panic as a *panicked.
func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}

// exchange opens the stream, sends from one of the helpers where there is audio,
// and receives to the end.
func exchange(run context.Context, cancel context.CancelCauseFunc, helpers *sync.WaitGroup, lease Lease, req Request, h *handover) error {
	stream, err := lease.Run(run)
	if err != nil {
		return err
	}
	if err := stream.Send(req.First); err != nil && !errors.Is(err, io.EOF) {
		return err // io.EOF: Recv tells why
	}
	if req.Audio == nil {
		if err := stream.CloseSend(); err != nil {
			return err
		}
		return receive(run, stream, h)
	}
	helpers.Go(func() {
		if err := recovered(func() error { return pump(run, stream, lease, req.Audio) }); err != nil {
			cancel(err)
		}
	})
	return receive(run, stream, h)
}

// pump sends audio until its end, or until the stream's.
func pump(ctx context.Context, stream enginev1.Engine_RunClient, lease Lease, audio Audio) error {
	for {
		piece, err := next(ctx, lease, audio)
		if errors.Is(err, io.EOF) {
			return stream.CloseSend()
		}
		if err != nil {
			return err
		}
		msg := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Audio{Audio: piece}}
		if err := stream.Send(msg); errs.ReasonOf(err) == errs.InvalidRequest {
			return err // it is larger than engines take
		} else if err != nil {
			return nil // the receiving side tells why
		}
	}
}

// next waits for audio. Where the caller is slow the lease is paused, so that
// silence neither holds cores nor looks like a worker that hangs.
func next(ctx context.Context, lease Lease, audio Audio) ([]byte, error) {
	soon, cancel := context.WithTimeout(ctx, pauseAfter)
	defer cancel()
	piece, err := audio.Next(soon)
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return piece, audioFault(ctx, err)
	}
	resume := lease.Pause(true)
	piece, err = audio.Next(ctx)
	if resumed := resume(ctx); resumed != nil {
		return nil, resumed
	}
	return piece, audioFault(ctx, err)
}

// audioFault marks an error of the caller's audio; its end is none.
func audioFault(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil {
		return err
	}
	return callersFault(err)
}

// callerError is a failure of the caller's side, to send its audio or to take
// what came out: nothing that the model is to blame for, or another could help.
type callerError struct{ error }

func (e callerError) Unwrap() error { return e.error }

// callersFault marks an error. A broken connection to the caller has the code of
// one to a worker: it is the end of the call.
func callersFault(err error) error {
	if status.Code(err) == codes.Unavailable {
		err = errs.New(errs.Cancelled, "the caller is gone").WithCause(err)
	}
	return callerError{err}
}

// emitError is a sink's failure to take a message: the caller's, or, if the sink
// refuses the message itself, the engine's.
type emitError struct{ error }

func (e emitError) Unwrap() error { return e.error }

// blame finds out which.
func (e emitError) blame() error {
	var refused *errs.Error
	if errors.As(e.error, &refused) {
		return refused
	}
	return callersFault(e.error)
}

// receive hands over what comes out.
func receive(ctx context.Context, stream enginev1.Engine_RunClient, h *handover) error {
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := h.message(ctx, resp); err != nil {
			return err
		}
	}
}

// cause picks the error of a request from what failed. The loss of its lease
// comes first, then the end of the call: a deadline that passes while the request
// is at work becomes DEADLINE_EXCEEDED here, whatever failed with it. Then what
// the caller's side did wrong, and what the worker said.
func cause(ctx, run context.Context, err error) error {
	var p *panicked
	var emitted emitError
	audio := context.Cause(run)
	switch {
	case errors.As(err, &p) || errors.As(audio, &p):
		return p
	case errors.Is(err, worker.ErrEnded):
		return err
	case errors.Is(err, lifecycle.ErrSilent):
		return callersFault(err)
	case ctx.Err() != nil:
		return errs.From(ctx.Err())
	case errors.As(err, &emitted):
		return emitted.blame()
	case audio != nil && !errors.Is(audio, context.Canceled):
		return audio
	default:
		return err
	}
}
