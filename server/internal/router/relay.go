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

// pauseAfter is how long a request waits for its client, to send audio or to read
// output, before it gives up its cores.
const pauseAfter = 2 * time.Second

// errSlowReader is the cause of the error of a request whose client does not
// read, or too slowly. Its sink may still be in use then.
var errSlowReader = errors.New("the client does not read")

// relay sends a request to the lease's worker and gives the output to emit. If
// the client falls further than readTimeout behind minReadRate (0: no limit),
// relay returns while emit still runs; only the end of the client's stream ends
// emit then. A sink that collects the output needs neither the goroutine nor the
// timers for that.
func relay(ctx context.Context, lease Lease, req Request, readTimeout time.Duration, emit func(*enginev1.RunResponse) error) error {
	streamCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var senders sync.WaitGroup
	run := func(give func(context.Context, *enginev1.RunResponse) error) error {
		return recovered(func() error { return exchange(streamCtx, cancel, &senders, lease, req, give) })
	}
	var err error
	if req.Collected {
		err = run(func(_ context.Context, resp *enginev1.RunResponse) error { return emitted(emit(resp)) })
	} else {
		reader := newSlowReader(lease, readTimeout, emit)
		ended := make(chan error, 1)
		go func() { ended <- run(reader.give) }()
		select {
		case err = <-ended:
		case <-reader.timedOut:
			err = errSlowReader
		}
	}
	if err == nil && req.Audio != nil && streamCtx.Err() != nil {
		err = context.Cause(streamCtx) // the worker took broken audio for its end
	}
	if err != nil && !errors.Is(err, errSlowReader) {
		err = requestError(ctx, streamCtx, err)
	}
	cancel(nil) // the worker has answered: no more audio is needed
	senders.Wait()
	var p *panicError
	if errors.As(err, &p) {
		panic(p) // the interceptor of the call recovers it
	}
	if errors.Is(err, errSlowReader) {
		return errs.New(errs.DeadlineExceeded, "the client read nothing, or too little, for %s: read at least %d KiB a second", readTimeout, minReadRate>>10).WithCause(errSlowReader)
	}
	return err
}

// requestError picks the error of a request from what failed: err, and the cause
// of the stream's end. ctx is the attempt's context, streamCtx the stream's.
//
// A panic comes first. Then comes the loss of the lease: the worker ended, or
// the request sent no audio. Then comes the end of the attempt: a deadline that
// passes while the request has its lease becomes DEADLINE_EXCEEDED here, whatever
// else failed. Then come a sink that did not take the output and a failure of
// the audio, and last what the worker said.
func requestError(ctx, streamCtx context.Context, err error) error {
	var p *panicError
	var refused emitError
	audio := context.Cause(streamCtx)
	switch {
	case errors.As(err, &p) || errors.As(audio, &p):
		return p
	case errors.Is(err, worker.ErrEnded):
		return err
	case errors.Is(err, lifecycle.ErrSilent):
		return clientFault(err)
	case callEnd(ctx) != nil:
		return errs.From(callEnd(ctx))
	case errors.As(err, &refused):
		return refused.fault()
	case audio != nil && !errors.Is(audio, context.Canceled):
		return audio
	default:
		return err
	}
}

// exchange opens the stream, starts to send the audio, if any, and receives to
// the end. It calls give with each message of the worker.
func exchange(ctx context.Context, cancel context.CancelCauseFunc, senders *sync.WaitGroup, lease Lease, req Request, give func(context.Context, *enginev1.RunResponse) error) error {
	stream, err := lease.Run(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(req.First); err != nil && !errors.Is(err, io.EOF) {
		return err // after io.EOF, Recv returns the cause
	}
	if req.Audio == nil {
		if err := stream.CloseSend(); err != nil {
			return err
		}
		return receive(ctx, stream, lease, req, give)
	}
	senders.Go(func() {
		if err := recovered(func() error { return sendAudio(ctx, stream, lease, req) }); err != nil {
			cancel(err)
		}
	})
	return receive(ctx, stream, lease, req, give)
}

// sendAudio sends audio until it ends, or until the stream does.
func sendAudio(ctx context.Context, stream enginev1.Engine_RunClient, lease Lease, req Request) error {
	pace := &audioPace{lease: lease, audio: req.Audio}
	for {
		piece, err := pace.next(ctx)
		if errors.Is(err, io.EOF) {
			return stream.CloseSend()
		}
		if err != nil {
			return err
		}
		if req.OnAudio != nil {
			req.OnAudio(piece)
			if ctx.Err() != nil {
				return nil // it has ended the request; receive returns the cause
			}
		}
		msg := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Audio{Audio: piece}}
		if err := stream.Send(msg); errs.ReasonOf(err) == errs.InvalidRequest {
			return err // the piece is larger than an engine accepts
		} else if err != nil {
			return nil // receive returns the cause
		}
	}
}

// receive receives the worker's output.
func receive(ctx context.Context, stream enginev1.Engine_RunClient, lease Lease, req Request, give func(context.Context, *enginev1.RunResponse) error) error {
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := awaitRoom(ctx, lease, req); err != nil {
			return err
		}
		if err := give(ctx, resp); err != nil {
			return err
		}
	}
}

// awaitRoom waits until there is room for a message.
func awaitRoom(ctx context.Context, lease Lease, req Request) error {
	if req.Room == nil {
		return nil
	}
	room := req.Room()
	if room == nil {
		return nil
	}
	resume := lease.Pause(lifecycle.ForReader)
	select {
	case <-room:
	case <-ctx.Done():
	}
	return resume(ctx)
}

// clientError is a failure of the client, to send audio or to take output. The
// model is not to blame, and another one cannot help.
type clientError struct{ error }

func (e clientError) Unwrap() error { return e.error }

// clientFault marks an error as a failure of the client. A broken connection to
// the client has the same code as one to a worker; it is the end of the call.
func clientFault(err error) error {
	if status.Code(err) == codes.Unavailable {
		err = errs.New(errs.Cancelled, "the client has disconnected").WithCause(err)
	}
	return clientError{err}
}

// audioFault marks an error of the client's audio. The end of the audio, or of
// the call, is no such error.
func audioFault(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil {
		return err
	}
	return clientFault(err)
}

// emitError is a failure of a sink to take a message.
type emitError struct{ error }

func (e emitError) Unwrap() error { return e.error }

// emitted returns the error of a sink as an emitError; nil if there is none.
func emitted(err error) error {
	if err == nil {
		return nil
	}
	return emitError{err}
}

// fault returns the failure as one of the engine if the sink refused the message,
// else as one of the client.
func (e emitError) fault() error {
	var refused *errs.Error
	if errors.As(e.error, &refused) {
		return refused
	}
	return clientFault(e.error)
}

// panicError carries a panic from one goroutine to another.
type panicError struct {
	value any
	stack []byte
}

// Error implements error.
func (p *panicError) Error() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }

// recovered runs f and returns its panic, if any, as a *panicError.
func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}
