package router

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// spareShare is the part of the time to the deadline that is kept for another
	// candidate, and maxSpare the most of it.
	spareShare = 3
	maxSpare   = 10 * time.Second
)

// errGivenUp is the cause of the error of an attempt that produced nothing in
// time to leave another candidate its share. It is a deadline of the attempt's
// own: the lifecycle lets a load go on that came too late.
var errGivenUp = fmt.Errorf("the next candidate's time has come: %w", context.DeadlineExceeded)

// attempt is a request on one model.
type attempt struct {
	router *Router
	req    Request
	model  string
	sink   Sink
	pass   *passage
	// spare is true if another candidate might answer instead.
	spare bool
}

// run runs the request. It gives the lease back before it returns, and adds to
// queued how long it waited for it.
func (a *attempt) run(caller context.Context, queued *time.Duration) (served *gatewayv1.ServedBy, err error) {
	var worker lifecycle.WorkerID
	verdict := errNoVerdict // what a panic below leaves
	defer func() { a.pass.end(caller, worker, verdict) }()
	ctx, cancel := context.WithCancelCause(caller)
	defer cancel(nil)
	patience := a.patience(caller, cancel)
	defer patience.stop()
	lease, err := a.lease(ctx, queued)
	if err != nil {
		return nil, a.givenUp(ctx, caller, err)
	}
	info := lease.Info()
	worker = info.Worker
	ctx, span := startSpan(ctx, "infer", a.model)
	defer func() { endSpan(span, err) }()
	err = errs.New(errs.Internal, "the request panicked") // what a panic below leaves
	defer func() { lease.Release(err) }()
	if a.live() && !patience.stop() { // who speaks may do so for as long as they like
		err = a.givenUp(ctx, caller, errs.From(ctx.Err()))
		return nil, err
	}
	start := time.Now()
	err = a.givenUp(ctx, caller, a.relay(ctx, probing{lease, a.pass}, patience))
	verdict = err
	return &gatewayv1.ServedBy{
		Model:             a.model,
		Engine:            info.Engine,
		QueueDuration:     durationpb.New(info.QueueDuration),
		LoadDuration:      durationpb.New(info.LoadDuration),
		InferenceDuration: durationpb.New(time.Since(start)),
	}, err
}

// probing is a lease that tells the breaker when the request waits for its
// caller.
type probing struct {
	Lease
	pass *passage
}

// Pause implements Lease.
func (l probing) Pause(forAudio bool) func(context.Context) error {
	l.pass.paused()
	return l.Lease.Pause(forAudio)
}

// live tells whether the request's audio arrives while it is used.
func (a *attempt) live() bool {
	heard, ok := a.req.Audio.(*replay)
	return ok && heard.live()
}

// relay runs the request on its lease.
func (a *attempt) relay(ctx context.Context, lease Lease, patience *patience) error {
	a.sink.Begin()
	first := true
	meter := meter{observer: a.router.opts.Observer, task: a.req.Task, model: a.model}
	return relay(ctx, lease, a.req, a.router.opts.SlowReaderTimeout, func(resp *enginev1.RunResponse) error {
		if first {
			first = false
			if !patience.stop() {
				return errGivenUp // before anything reaches the caller
			}
			a.pass.answered()
		}
		meter.count(resp)
		if err := a.sink.Emit(resp); err != nil {
			return err
		}
		if heard, ok := a.req.Audio.(*replay); ok && a.sink.Committed() {
			heard.final()
		}
		return nil
	})
}

// lease waits for a lease, in a span of its own. Of a wait that ends without one
// nobody knows which part was the load: all of it counts as queued.
func (a *attempt) lease(ctx context.Context, queued *time.Duration) (lease Lease, err error) {
	ctx, span := startSpan(ctx, "acquire", a.model)
	defer func() { endSpan(span, err) }()
	start := time.Now()
	lease, err = a.router.opts.Acquire(ctx, lifecycle.Request{Model: a.model, Priority: a.req.Routing.GetPriority(), Live: a.live()})
	if err != nil {
		*queued += time.Since(start)
		return nil, err
	}
	*queued += lease.Info().QueueDuration
	return lease, nil
}

// patience ends an attempt that takes too long to produce its first output.
type patience struct {
	timer   *time.Timer // nil for ever
	settled atomic.Int32
}

// How a patience ended.
const (
	patienceStopped = iota + 1
	patienceLost
)

// patience lets the attempt have what is left to the deadline but the share of
// another candidate, if there is one.
func (a *attempt) patience(ctx context.Context, cancel context.CancelCauseFunc) *patience {
	p := &patience{}
	deadline, ok := ctx.Deadline()
	if !ok || !a.spare {
		return p
	}
	left := time.Until(deadline)
	p.timer = time.AfterFunc(left-min(left/spareShare, maxSpare), func() {
		if p.settled.CompareAndSwap(0, patienceLost) {
			cancel(errGivenUp)
		}
	})
	return p
}

// stop ends the watch; false if the attempt was ended before.
func (p *patience) stop() bool {
	if p.timer == nil {
		return true
	}
	p.timer.Stop()
	return p.settled.CompareAndSwap(0, patienceStopped) || p.settled.Load() == patienceStopped
}

// givenUp tells an attempt that was given up for another candidate from one that
// the caller ended.
func (a *attempt) givenUp(ctx, caller context.Context, err error) error {
	if caller.Err() != nil || !errors.Is(context.Cause(ctx), errGivenUp) {
		return err
	}
	if r := errs.ReasonOf(err); r != errs.Cancelled && r != errs.DeadlineExceeded {
		return err
	}
	return errs.New(errs.DeadlineExceeded, "model %q produced nothing in time to leave another model its share of the time to the deadline", a.model).
		WithCause(errGivenUp).With("model", a.model)
}

// mayFallBack tells whether another candidate could do better.
func mayFallBack(err error) bool {
	var caller callerError
	return !errors.As(err, &caller) && !errors.Is(err, errStalled) &&
		FallbackReason(err) != gatewayv1.FallbackReason_FALLBACK_REASON_UNSPECIFIED
}
