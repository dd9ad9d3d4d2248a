// Package router takes a request to the model that answers it: it picks the
// candidates of the request's task, takes a lease, relays the work to the
// worker, and goes on to the next candidate while that is allowed and nothing
// was sent to the caller.
package router

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

// Lease is the right to use a loaded model; see lifecycle.Lease.
type Lease interface {
	// Info says which worker runs the request and how long the request waited.
	Info() lifecycle.LeaseInfo
	// Run opens the request's stream to the worker. Its errors say why the
	// request failed, also if the lease was lost.
	Run(ctx context.Context) (enginev1.Engine_RunClient, error)
	// Pause gives up the model's cores while the request waits for its client.
	// With forAudio the lease may be lost to other requests if that takes long.
	// The returned function waits for the cores and must be called once.
	Pause(forAudio bool) (resume func(context.Context) error)
	// Release gives the lease back, with the error that the request ends with.
	Release(err error)
}

// Acquire waits for a lease; see lifecycle.Manager.Acquire.
type Acquire func(ctx context.Context, req lifecycle.Request) (Lease, error)

// Model is what the router knows of a configured model.
type Model struct {
	// Cloud is true if requests to it leave this machine.
	Cloud bool
	// Absent tells why it is not served; empty if it is.
	Absent string
}

// Observer counts what happens. Its methods are called by many goroutines.
type Observer interface {
	// RequestEnded is called once per request. model is the one that answered
	// or was tried last, empty if none was.
	RequestEnded(task, model string, err error, took, queued time.Duration)
	// FellBack is called when another candidate answers than the first.
	FellBack(task, from, to string, reason gatewayv1.FallbackReason)
	// BreakerChanged is called when a model's circuit breaker did.
	BreakerChanged(model string, state gatewayv1.BreakerState)
	// Tokens counts what a language model read and wrote.
	Tokens(model string, usage *gatewayv1.Usage)
	// Audio counts sound that was heard or made.
	Audio(task, model string, length time.Duration)
}

// Request is a task to run.
type Request struct {
	// Task is the task type, e.g. "chat".
	Task string
	// Model is the one that the caller named, or empty.
	Model string
	// Routing is the caller's wish; nil is none.
	Routing *gatewayv1.Routing
	// First is the message that says what to do.
	First *enginev1.RunRequest
	// Audio follows it; nil for none.
	Audio Audio
}

// Audio gives the audio bytes of a request.
type Audio interface {
	// Next returns the next bytes, or io.EOF after the last. It ends with ctx.
	Next(ctx context.Context) ([]byte, error)
}

// Rewinder is audio that is there as a whole. What other audio was heard of, the
// router keeps for another candidate, within bounds.
type Rewinder interface {
	Audio
	// Rewind goes back to the start.
	Rewind()
}

// Sink takes a request's output.
type Sink interface {
	// Begin is called before each candidate: output of an earlier one is void.
	Begin()
	// Emit takes one message.
	Emit(resp *enginev1.RunResponse) error
	// Committed tells whether anything reached the caller, which rules out
	// other candidates.
	Committed() bool
}

// TaskInvoke is the task of calls whose method only the engine knows.
const TaskInvoke = "invoke"

// Router routes requests. Make one with New.
type Router struct {
	opts     Options
	breakers map[string]*breaker
	kept     atomic.Int64 // bytes of audio that are kept for other candidates
}

// Options are what a Router needs.
type Options struct {
	// Acquire waits for a lease.
	Acquire Acquire
	// Models are those that are configured.
	Models map[string]Model
	// Tasks are each task type's candidates, primary first.
	Tasks map[string][]string
	// Observer counts what happens.
	Observer Observer
	// SlowReaderTimeout is how long a caller may take to read one message; 0 is
	// for ever.
	SlowReaderTimeout time.Duration
	// Breaker settings of every model.
	Breaker BreakerOptions
	// Log takes what breakers do; nil is nobody.
	Log *slog.Logger
}

// New makes a router.
func New(opts Options) *Router {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	r := &Router{opts: opts, breakers: map[string]*breaker{}}
	for name := range opts.Models {
		r.breakers[name] = newBreaker(name, opts.Breaker, opts.Log, opts.Observer.BreakerChanged)
	}
	return r
}

// Breaker tells the state of a model's circuit breaker; nil if there is no such
// model.
func (r *Router) Breaker(model string) *gatewayv1.Breaker {
	b, ok := r.breakers[model]
	if !ok {
		return nil
	}
	return b.describe()
}

// HasTask tells whether a task type is routed.
func (r *Router) HasTask(task string) bool { return len(r.opts.Tasks[task]) > 0 }

// Run runs a request to its end: it returns after the lease was given back. After
// an error the caller must not touch the sink: Emit may still be at work, for a
// caller that reads nothing, until the caller's stream ends.
func (r *Router) Run(ctx context.Context, req Request, sink Sink) (*gatewayv1.ServedBy, error) {
	start := time.Now()
	var queued time.Duration
	served, last, err := r.run(ctx, req, sink, &queued)
	task := req.Task
	if !r.HasTask(task) && task != TaskInvoke {
		task = "unknown" // callers must not make metrics grow
	}
	r.opts.Observer.RequestEnded(task, last, err, time.Since(start), queued)
	return served, err
}

// run tries the candidates in turn. last is the model that was tried last; queued
// takes the time that the request waited for all of them.
func (r *Router) run(ctx context.Context, req Request, sink Sink, queued *time.Duration) (served *gatewayv1.ServedBy, last string, err error) {
	candidates, err := r.candidates(req)
	if err != nil {
		return nil, "", err
	}
	var heard *replay
	if req.Audio != nil {
		heard = newReplay(req.Audio, &r.kept)
		defer heard.drop()
		req.Audio = heard
		// Who says nothing yet takes no place of those who do.
		if r.hasOther(req, candidates) {
			if err := heard.await(ctx); err != nil {
				return nil, "", err
			}
		}
	}
	var t tries
	for i, model := range candidates {
		if why := r.skip(req, model); why != nil {
			t.skipped(why)
			continue
		}
		pass, refusal := r.breakers[model].admit()
		if refusal != nil {
			t.refused(model, refusal)
			continue
		}
		last = model
		a := attempt{router: r, req: req, model: model, sink: sink, pass: pass, spare: r.hasOther(req, candidates[i+1:])}
		if heard != nil && !a.spare {
			heard.final()
		}
		served, err = a.run(ctx, queued)
		if err == nil {
			if model != candidates[0] {
				served.Fallback, served.FallbackReason = true, t.reason
				r.opts.Observer.FellBack(req.Task, candidates[0], model, t.reason)
			}
			return served, last, nil
		}
		t.failed(model, err)
		over := ctx.Err() != nil || !mayFallBack(err) || sink.Committed() || heard != nil && !heard.rewind()
		r.noteFailure(ctx, req.Task, model, err, a.spare && !over, len(t.errs) > 1)
		if over {
			break
		}
	}
	return served, last, t.error()
}

// hasOther tells whether one of the models might answer.
func (r *Router) hasOther(req Request, models []string) bool {
	return slices.ContainsFunc(models, func(model string) bool { return r.skip(req, model) == nil })
}

// noteFailure logs why a model did not answer. Where another one is, or was,
// asked too, nobody else may tell. What could be the caller's own words is left
// out.
func (r *Router) noteFailure(ctx context.Context, task, model string, err error, another, several bool) {
	e, level, what := errs.From(err), slog.LevelDebug, "a model did not answer"
	switch {
	case e.Reason() == errs.Internal && (another || several):
		level = slog.LevelError
	case !another && several && ctx.Err() == nil:
		level = slog.LevelInfo
	}
	if another {
		what += ", and another is asked"
	}
	attrs := []any{"task", task, "model", model, "reason", errs.ReasonName(e.Reason())}
	if FallbackReason(err) != gatewayv1.FallbackReason_FALLBACK_REASON_UNSPECIFIED {
		attrs = append(attrs, "error", err.Error())
	}
	r.opts.Log.Log(ctx, level, what, attrs...)
}

// candidates lists who may answer, in order.
func (r *Router) candidates(req Request) ([]string, error) {
	routed := r.opts.Tasks[req.Task]
	if req.Model != "" {
		if _, ok := r.opts.Models[req.Model]; !ok {
			return nil, errs.New(errs.ModelNotFound, "no model %q is configured", req.Model).With("model", req.Model)
		}
		// Who names another model than the primary wants that one.
		if len(routed) == 0 || routed[0] != req.Model {
			routed = []string{req.Model}
		}
	}
	if len(routed) == 0 {
		return nil, errs.New(errs.TaskUnknown, "no model is routed for the task %q", req.Task).With("task", req.Task)
	}
	if req.Routing.GetNoFallback() {
		routed = routed[:1]
	}
	return slices.Clip(routed), nil
}

// skip tells why a candidate is not asked at all.
func (r *Router) skip(req Request, model string) *errs.Error {
	m := r.opts.Models[model]
	switch {
	case req.Routing.GetLocalOnly() && m.Cloud:
		return errs.New(errs.EngineUnavailable, "model %q is in the cloud, and the request must not leave this machine", model).With("model", model)
	case m.Absent != "":
		return errs.New(errs.EngineUnavailable, "model %q is not served: %s", model, m.Absent).With("model", model)
	}
	return nil
}
