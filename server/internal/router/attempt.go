package router

import (
	"context"
	"errors"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"google.golang.org/protobuf/types/known/durationpb"
)

// attempt runs a request on one model.
type attempt struct {
	router *Router
	req    Request
	audio  *replay // the audio of req; nil for none
	model  string
	sink   Sink
	call   *breakerCall
	// hasNext is true if another candidate may answer instead.
	hasNext bool
}

// errPanicked is the error of a request that has panicked.
var errPanicked = errs.New(errs.Internal, "the request panicked")

// run runs the request. It gives the lease back before it returns, and adds to
// queued how long the request waited for it. callCtx is the call's context; that
// of the attempt can end earlier.
func (a *attempt) run(callCtx context.Context, queued *time.Duration) (served *gatewayv1.ServedBy, err error) {
	var info lifecycle.LeaseInfo
	result := errNotCounted // for the breaker, also after a panic below
	defer func() { a.call.end(callCtx, info.Worker, result) }()
	ctx, cancel := context.WithCancelCause(callCtx)
	defer cancel(nil)
	timer := a.startOutputTimer(callCtx, cancel)
	defer timer.stop()
	lease, err := a.acquire(ctx, queued)
	if err != nil {
		return nil, a.errorOf(ctx, callCtx, err)
	}
	info = lease.Info()
	ctx, span := startSpan(ctx, "infer", a.model)
	defer func() { endSpan(span, err) }()
	err = errPanicked // the result of a panic below
	defer func() { lease.Release(err) }()
	if a.live() && !timer.stop() { // live audio may take as long as it likes
		err = a.errorOf(ctx, callCtx, errs.From(ctx.Err()))
		return nil, err
	}
	start := time.Now()
	err = a.errorOf(ctx, callCtx, a.runOnLease(ctx, pauseObserver{lease, a.call}, timer))
	result = err
	return &gatewayv1.ServedBy{
		Model:             a.model,
		Engine:            info.Engine,
		QueueDuration:     durationpb.New(info.QueueDuration),
		LoadDuration:      durationpb.New(info.LoadDuration),
		InferenceDuration: durationpb.New(time.Since(start)),
		Warning:           a.router.opts.Models[a.model].Warning,
		Instance:          a.router.opts.Instance,
	}, err
}

// pauseObserver is a lease that tells the breaker when the request waits for its
// client.
type pauseObserver struct {
	Lease
	call *breakerCall
}

// Pause implements Lease.
func (o pauseObserver) Pause(why lifecycle.Waiting) func(context.Context) error {
	o.call.paused()
	return o.Lease.Pause(why)
}

// live reports whether the request's audio arrives while it runs.
func (a *attempt) live() bool { return a.audio != nil && a.audio.live() }

// runOnLease runs the request on its lease.
func (a *attempt) runOnLease(ctx context.Context, lease Lease, timer *outputTimer) error {
	a.sink.Begin()
	if a.audio != nil {
		defer watchPresence(ctx, lease, a.audio.audio)()
	}
	first := true
	meter := newMeter(a.router.opts.Observer, a.req, a.model)
	return relay(ctx, lease, a.req, a.router.opts.SlowReaderTimeout, func(resp *enginev1.RunResponse) error {
		if first {
			first = false
			if !timer.stop() {
				return errNoOutputInTime // nothing has reached the caller yet
			}
			a.call.hasOutput()
		}
		meter.count(resp)
		if err := a.sink.Emit(resp); err != nil {
			return err
		}
		if a.audio != nil && a.sink.Committed() {
			a.audio.stopKeeping()
		}
		return nil
	})
}

// acquire waits for a lease, in its own trace span. If the wait fails it is not
// known which part of it was the load: all of it counts as queued.
func (a *attempt) acquire(ctx context.Context, queued *time.Duration) (lease Lease, err error) {
	ctx, span := startSpan(ctx, "acquire", a.model)
	defer func() { endSpan(span, err) }()
	start := time.Now()
	lease, err = a.router.opts.Acquire(ctx, lifecycle.Request{
		Model: a.model, Priority: a.req.Routing.GetPriority(), MaxPriority: a.req.MaxPriority, Weight: a.req.Weight, Live: a.live(),
	})
	if err != nil {
		*queued += time.Since(start)
		return nil, err
	}
	*queued += lease.Info().QueueDuration
	return lease, nil
}

// mayFallBack reports whether another candidate may succeed after an error.
func mayFallBack(err error) bool {
	var client clientError
	return !errors.As(err, &client) && !errors.Is(err, errSlowReader) &&
		fallbackReason(err) != gatewayv1.FallbackReason_FALLBACK_REASON_UNSPECIFIED
}
