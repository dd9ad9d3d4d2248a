package router

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// pauseAfter is how long a request waits for its caller, to send audio or to read
// what came out, before it gives the cores it works with to others.
const pauseAfter = 2 * time.Second

// relay sends a request to the lease's worker and hands over what it answers.
func relay(ctx context.Context, lease Lease, req Request, emit func(*enginev1.RunResponse) error) error {
	run, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-lease.Done():
			cancel(lease.Cause())
		case <-run.Done():
		}
	}()
	err := exchange(run, cancel, lease, req, emit)
	if err != nil {
		err = cause(ctx, run, lease, err)
	}
	cancel(nil)
	<-watched
	return err
}

// exchange opens the stream, sends from a goroutine of its own where there is
// audio, and receives to the end.
func exchange(run context.Context, cancel context.CancelCauseFunc, lease Lease, req Request, emit func(*enginev1.RunResponse) error) error {
	stream, err := lease.Worker().Run(run)
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
		return receive(run, stream, lease, emit)
	}
	pumped := make(chan struct{})
	go func() {
		defer close(pumped)
		if err := pump(run, stream, lease, req.Audio); err != nil {
			cancel(err)
		}
	}()
	err = receive(run, stream, lease, emit)
	if err == nil && run.Err() != nil {
		err = context.Cause(run) // the worker took broken audio for its end
	}
	cancel(nil) // the worker has said all: more audio changes nothing
	<-pumped
	return err
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
		if err := stream.Send(msg); err != nil {
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
		return piece, err
	}
	lease.Pause()
	piece, err = audio.Next(ctx)
	if resumed := lease.Resume(ctx); resumed != nil {
		return nil, resumed
	}
	return piece, err
}

// emitError is a failure to hand output over: the caller's, not the worker's.
type emitError struct{ error }

func (e emitError) Unwrap() error { return e.error }

// receive hands over what comes out. While the caller is slow to read it the
// lease is paused: the worker, which can send no more, must not look like one
// that hangs.
func receive(ctx context.Context, stream enginev1.Engine_RunClient, lease Lease, emit func(*enginev1.RunResponse) error) error {
	paused := make(chan struct{}, 1)
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		slow := time.AfterFunc(pauseAfter, func() {
			lease.Pause()
			paused <- struct{}{}
		})
		err = emit(resp)
		if !slow.Stop() {
			<-paused // Resume comes after Pause
			if resumed := lease.Resume(ctx); resumed != nil && err == nil {
				return resumed
			}
		}
		if err != nil {
			return emitError{err}
		}
	}
}

// cause says why an exchange failed: because the caller's side did, because the
// lease was lost, or for what the worker said.
func cause(ctx, run context.Context, lease Lease, err error) error {
	var emitted emitError
	if errors.As(err, &emitted) && ctx.Err() == nil {
		return emitted.error
	}
	select {
	case <-lease.Done():
		return lease.Cause()
	default:
	}
	if why := context.Cause(run); why != nil && ctx.Err() == nil && !errors.Is(why, context.Canceled) {
		return errs.From(why) // the caller's audio
	}
	return lease.Explain(ctx, err)
}
