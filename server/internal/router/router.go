// Package router takes a request to the model that answers it. It lists the
// candidates for the request's task, takes a lease on the first and relays the
// request to its worker. If a candidate fails it tries the next, as long as the
// request allows that and no output has reached the caller. deadline.go lists
// what happens to a request whose deadline passes.
package router

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines"
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
	// The lease may be lost to other requests if that takes long, or if the client
	// is gone. The returned function waits for the cores and must be called once.
	Pause(why lifecycle.Waiting) (resume func(context.Context) error)
	// Release gives the lease back, with the error that the request ends with.
	Release(err error)
}

// Acquire waits for a lease; see lifecycle.Manager.Acquire.
type Acquire func(ctx context.Context, req lifecycle.Request) (Lease, error)

// Model is what the router knows about a configured model.
type Model struct {
	// Cloud is true if requests to the model leave this machine.
	Cloud bool
	// Absent says why the model is not served; empty if it is.
	Absent string
	// Warning is what callers should know of the model's answers.
	Warning string
}

// Observer counts events. Its methods may be called concurrently.
type Observer interface {
	// RequestEnded is called once per request. model is the one that answered
	// or was tried last, empty if none was tried.
	// caller is that of the request.
	RequestEnded(caller, task, model string, err error, took, queued time.Duration)
	// FellBack is called when another candidate than the first has answered.
	FellBack(task, from, to string, reason gatewayv1.FallbackReason)
	// BreakerChanged is called when the state of a model's circuit breaker has
	// changed.
	BreakerChanged(model string, state gatewayv1.BreakerState)
	// Tokens counts the tokens that a language model has read and written.
	Tokens(caller, model string, usage *gatewayv1.Usage)
	// Audio counts the audio that a model has read or made.
	Audio(caller, task, model string, length time.Duration)
}

// Router routes requests. Make one with New.
type Router struct {
	opts     Options
	breakers map[string]*breaker
	kept     atomic.Int64 // bytes of live audio that all requests keep for other candidates
}

// Options are what a Router needs.
type Options struct {
	// Acquire waits for a lease.
	Acquire Acquire
	// Models are the configured models.
	Models map[string]Model
	// Tasks lists the candidates for each task, primary first.
	Tasks map[string][]string
	// Observer counts events.
	Observer Observer
	// SlowReaderTimeout is how long a client may take to read one message; 0 is
	// no limit.
	SlowReaderTimeout time.Duration
	// Breaker holds the settings of all circuit breakers.
	Breaker BreakerOptions
	// Instance names this server in answers.
	Instance string
	// Draining ends when the server shuts down: requests that still wait for their
	// first audio end then. Nil: never.
	Draining context.Context
	// Log gets the changes of breakers and the failures of candidates; nil
	// discards them.
	Log *slog.Logger
}

// New returns a router.
func New(opts Options) *Router {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Draining == nil {
		opts.Draining = context.Background()
	}
	r := &Router{opts: opts, breakers: map[string]*breaker{}}
	for name := range opts.Models {
		r.breakers[name] = newBreaker(name, opts.Breaker, opts.Log, opts.Observer.BreakerChanged)
	}
	return r
}

// Breaker returns the state of a model's circuit breaker; nil if there is no such
// model.
func (r *Router) Breaker(model string) *gatewayv1.Breaker {
	b, ok := r.breakers[model]
	if !ok {
		return nil
	}
	return b.describe()
}

// HasTask reports whether a task has candidates.
func (r *Router) HasTask(task string) bool { return len(r.opts.Tasks[task]) > 0 }

// Run runs a request to its end. It returns after the lease was given back. After
// an error the caller must not use the sink: if the client does not read, Emit
// may still be running until the client's stream ends.
func (r *Router) Run(ctx context.Context, req Request, sink Sink) (*gatewayv1.ServedBy, error) {
	start := time.Now()
	var queued time.Duration
	served, last, err := r.run(ctx, req, sink, &queued)
	task := req.Task
	if !r.HasTask(task) && task != engines.TaskName(enginev1.Task_TASK_INVOKE) {
		task = "unknown" // a caller must not be able to add time series
	}
	r.opts.Observer.RequestEnded(req.Caller, task, last, err, time.Since(start), queued)
	return served, err
}

// run tries the candidates in turn. It returns the model that was tried last, and
// adds to queued how long the request waited for all of them.
func (r *Router) run(ctx context.Context, req Request, sink Sink, queued *time.Duration) (served *gatewayv1.ServedBy, last string, err error) {
	candidates, err := r.candidates(req)
	if err != nil {
		return nil, "", err
	}
	var audio *replay
	if req.Audio != nil {
		audio = newReplay(req.Audio, &r.kept)
		defer audio.discard()
		req.Audio = audio
		// A request takes no lease before its first audio: others could use it.
		if r.mayAnswer(req, candidates) {
			if err := audio.awaitFirst(ctx, r.opts.Draining); err != nil {
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
		call, refusal := r.breakers[model].allow()
		if refusal != nil {
			t.refused(model, refusal)
			continue
		}
		last = model
		a := attempt{router: r, req: req, audio: audio, model: model, sink: sink, call: call, hasNext: r.mayAnswer(req, candidates[i+1:])}
		if audio != nil && !a.hasNext {
			audio.stopKeeping()
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
		over := callEnd(ctx) != nil || !mayFallBack(err) || sink.Committed() || audio != nil && !audio.rewind()
		r.logFailure(ctx, req.Task, model, err, a.hasNext && !over, len(t.errs) > 1)
		if over {
			break
		}
	}
	return served, last, t.error()
}

// mayAnswer reports whether the request may be sent to one of the models.
func (r *Router) mayAnswer(req Request, models []string) bool {
	return slices.ContainsFunc(models, func(model string) bool { return r.skip(req, model) == nil })
}

// logFailure logs why a model did not answer. hasNext says that another model is
// tried next, several that another was tried before: the caller does not see
// this error then. The text of an error that may quote the caller is left out.
func (r *Router) logFailure(ctx context.Context, task, model string, err error, hasNext, several bool) {
	e, level, message := errs.From(err), slog.LevelDebug, "a model did not answer"
	switch {
	case e.Reason() == errs.Internal && (hasNext || several):
		level = slog.LevelError
	case !hasNext && several && callEnd(ctx) == nil:
		level = slog.LevelInfo
	}
	if hasNext {
		message += "; trying the next one"
	}
	attrs := []any{"task", task, "model", model, "reason", errs.ReasonName(e.Reason())}
	if fallbackReason(err) != gatewayv1.FallbackReason_FALLBACK_REASON_UNSPECIFIED {
		attrs = append(attrs, "error", err.Error())
	}
	r.opts.Log.Log(ctx, level, message, attrs...)
}

// candidates lists the models that may answer, in order.
func (r *Router) candidates(req Request) ([]string, error) {
	routed := r.opts.Tasks[req.Task]
	if req.Model != "" {
		if _, ok := r.opts.Models[req.Model]; !ok {
			return nil, errs.New(errs.ModelNotFound, "no model %q is configured", req.Model).With("model", req.Model)
		}
		// A caller that names another model than the primary wants no fallback.
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

// skip returns why a candidate must not be tried; nil if it may be.
func (r *Router) skip(req Request, model string) *errs.Error {
	m := r.opts.Models[model]
	if req.MayUse != nil {
		if why := req.MayUse(model, m.Cloud); why != nil {
			return why
		}
	}
	switch {
	case req.Routing.GetLocalOnly() && m.Cloud:
		return errs.New(errs.EngineUnavailable, "model %q runs in the cloud, and the request asks for local_only", model).With("model", model)
	case m.Absent != "":
		return errs.New(errs.EngineUnavailable, "model %q is not available: %s", model, m.Absent).With("model", model)
	}
	return nil
}
