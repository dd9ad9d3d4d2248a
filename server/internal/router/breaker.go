package router

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/worker"
	"github.com/sony/gobreaker/v2"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// BreakerOptions are the settings of the models' circuit breakers.
type BreakerOptions struct {
	// Failures in a row open a model's breaker; 0: it stays closed.
	Failures int
	// Open is how long requests pass the model over then, until one may find
	// out whether it answers again.
	Open time.Duration
}

// breaker is the circuit breaker of one model. It judges requests at work only:
// failed loads have the lifecycle manager's cool-down.
type breaker struct {
	model   string
	options BreakerOptions
	circuit *gobreaker.TwoStepCircuitBreaker[any]

	mu       sync.Mutex
	failures int                // in a row
	last     *errs.Error        // the last failure; kept when requests succeed again
	lost     lifecycle.WorkerID // the worker whose end was counted last
	tripped  int                // failures when it opened
	retry    time.Time          // when a request may try again, if it is open
}

// errNoVerdict is what the circuit is told of requests that say nothing about
// the model.
var errNoVerdict = errors.New("no verdict")

// newBreaker makes a breaker. changed is called when its state does; it must
// not call the breaker.
func newBreaker(model string, options BreakerOptions, log *slog.Logger, changed func(model string, state gatewayv1.BreakerState)) *breaker {
	b := &breaker{model: model, options: options}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		Name:        model,
		MaxRequests: 1,
		Timeout:     options.Open,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return options.Failures > 0 && int(c.ConsecutiveFailures) >= options.Failures
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNoVerdict) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			failures, last := b.turned(to)
			attrs := []any{"model", model, "from", from.String(), "to", to.String()}
			if to == gobreaker.StateOpen {
				log.Warn("circuit breaker", append(attrs, "failures", failures, "last_failure", errs.ReasonName(last.Reason()), "open_for", options.Open)...)
			} else {
				log.Info("circuit breaker", attrs...)
			}
			changed(model, stateOf(to))
		},
	})
	return b
}

// turned takes note of a new state.
func (b *breaker) turned(to gobreaker.State) (failures int, last *errs.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if to == gobreaker.StateOpen {
		b.tripped = max(b.failures, 1)
		b.retry = time.Now().Add(b.options.Open)
	}
	return b.failures, b.last
}

func stateOf(s gobreaker.State) gatewayv1.BreakerState {
	switch s {
	case gobreaker.StateOpen:
		return gatewayv1.BreakerState_BREAKER_STATE_OPEN
	case gobreaker.StateHalfOpen:
		return gatewayv1.BreakerState_BREAKER_STATE_HALF_OPEN
	default:
		return gatewayv1.BreakerState_BREAKER_STATE_CLOSED
	}
}

// admit lets a request through, or tells why not. What it lets through must be
// ended.
func (b *breaker) admit() (*passage, *errs.Error) {
	done, err := b.circuit.Allow()
	if err != nil {
		return nil, b.refusal(errors.Is(err, gobreaker.ErrTooManyRequests))
	}
	return &passage{breaker: b, done: done}, nil
}

// refusal tells a caller why the model is not asked. probing: another request
// finds out at this moment whether it answers again.
func (b *breaker) refusal(probing bool) *errs.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := max(time.Until(b.retry), time.Millisecond)
	when := "for " + left.Round(100*time.Millisecond).String()
	if probing {
		left, when = time.Second, "until a request that is at work shows that it answers again"
	}
	reason := b.last.Reason()
	cause := errs.ReasonName(reason)
	if reason != errs.Internal { // those are for the log alone
		cause += ": " + b.last.Message()
	}
	return errs.New(errs.LoadCooldown, "model %q is not asked %s, after %d failed requests in a row; the last failed with %s",
		b.model, when, b.tripped, cause).
		WithRetryAfter(left).
		WithCause(b.last).
		With("model", b.model).
		With("cause", errs.ReasonName(reason)).
		With("breaker", "open")
}

// describe tells the breaker's state.
func (b *breaker) describe() *gatewayv1.Breaker {
	state := stateOf(b.circuit.State())
	b.mu.Lock()
	defer b.mu.Unlock()
	d := &gatewayv1.Breaker{State: state, ConsecutiveFailureCount: int32(b.failures)} //nolint:gosec // a number of requests
	if b.failures > 0 {
		d.LastFailureReason = b.last.Reason()
	}
	if state == gatewayv1.BreakerState_BREAKER_STATE_OPEN {
		d.RetryTime = timestamppb.New(b.retry)
	}
	return d
}

// passage is a request that a breaker let through.
type passage struct {
	breaker *breaker

	mu    sync.Mutex
	done  func(error) // nil while the request holds no place of the circuit
	ended bool
}

// answered tells that the model gave its first output. That is enough to trust
// it again, whoever got it, also one from before the breaker opened: a request
// that goes on for long must not keep others away.
func (p *passage) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	circuit := p.breaker.circuit
	if p.ended || circuit.State() != gobreaker.StateHalfOpen {
		return
	}
	p.breaker.worked()
	p.tell(nil)
	// What was let through before the breaker opened told it nothing.
	if circuit.State() == gobreaker.StateHalfOpen {
		p.take()
		p.tell(nil)
	}
	if circuit.State() == gobreaker.StateClosed {
		p.take() // its end is judged like any other's
	}
}

// paused tells that the request waits for its caller. A probe makes room for
// another one then: this one may take for ever.
func (p *passage) paused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.breaker.circuit.State() == gobreaker.StateHalfOpen {
		p.tell(errNoVerdict)
	}
}

// end tells how the request ended. ctx is the caller's; id is the worker that
// ran the request, zero if none did.
func (p *passage) end(ctx context.Context, id lifecycle.WorkerID, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	if p.done == nil {
		p.take()
	}
	if p.done == nil {
		return
	}
	switch b := p.breaker; {
	case err == nil:
		b.worked()
		p.tell(nil)
	case blames(ctx, err) && b.failed(id, err):
		p.tell(err)
	default:
		p.tell(errNoVerdict)
	}
}

// take takes a place of the circuit, if there is one. mu is held, as for tell.
func (p *passage) take() {
	if done, err := p.breaker.circuit.Allow(); err == nil {
		p.done = done
	}
}

// tell gives the place back with a verdict.
func (p *passage) tell(err error) {
	if p.done != nil {
		p.done(err)
		p.done = nil
	}
}

func (b *breaker) worked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = 0
}

// failed counts a failure and reports whether it is a new one: a worker that
// ends fails all its requests, and that is one failure.
func (b *breaker) failed(id lifecycle.WorkerID, err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(err, worker.ErrEnded) {
		if b.lost == id {
			return false
		}
		b.lost = id
	}
	b.failures++
	b.last = errs.From(err)
	return true
}

// blames tells whether a request's error is the model's own failure. Callers'
// faults, ends of their patience, full queues, busy memory, used up quotas and
// what the configuration lacks are not.
func blames(ctx context.Context, err error) bool {
	var caller callerError
	if errors.As(err, &caller) || errors.Is(err, errNoVerdict) || errors.Is(err, errStalled) || errors.Is(err, errGivenUp) {
		return false
	}
	switch errs.ReasonOf(err) {
	case errs.EngineCrashed, errs.Internal:
		return true
	case errs.DeadlineExceeded: // of the engine's own, e.g. of a cloud model's call
		return ctx.Err() == nil
	default:
		return false
	}
}
