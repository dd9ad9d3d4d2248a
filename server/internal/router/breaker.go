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
	// Failures is how many failures in a row open the breaker of a model; 0: it
	// stays closed.
	Failures int
	// Open is how long an open breaker refuses requests, until one may try
	// whether the model works again.
	Open time.Duration
}

// breaker is the circuit breaker of one model. It counts requests at work only:
// for failed loads the lifecycle manager has a cooldown.
type breaker struct {
	model   string
	options BreakerOptions
	circuit *gobreaker.TwoStepCircuitBreaker[any]

	mu       sync.Mutex
	failures int                // in a row
	last     *errs.Error        // the last failure; kept when requests succeed again
	ended    lifecycle.WorkerID // the worker whose end was counted last
	tripped  int                // failures when the breaker opened
	retry    time.Time          // when a request may try again, if the breaker is open
}

// errNotCounted is given to the circuit for requests that say nothing about the
// model.
var errNotCounted = errors.New("not counted")

// newBreaker returns a breaker. It calls changed when its state changes; changed
// must not call the breaker.
func newBreaker(model string, options BreakerOptions, log *slog.Logger, changed func(model string, state gatewayv1.BreakerState)) *breaker {
	b := &breaker{model: model, options: options}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		Name:        model,
		MaxRequests: 1,
		Timeout:     options.Open,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return options.Failures > 0 && int(c.ConsecutiveFailures) >= options.Failures
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNotCounted) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			failures, last := b.stateChanged(to)
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

// stateChanged records a new state.
func (b *breaker) stateChanged(to gobreaker.State) (failures int, last *errs.Error) {
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

// allow lets a request through, or returns why not. The end of each call that it
// returns must be reported.
func (b *breaker) allow() (*breakerCall, *errs.Error) {
	done, err := b.circuit.Allow()
	if err != nil {
		return nil, b.refusal(errors.Is(err, gobreaker.ErrTooManyRequests))
	}
	return &breakerCall{breaker: b, done: done}, nil
}

// refusal returns the error of a request that is not let through. probing says
// that another request is finding out whether the model works again.
func (b *breaker) refusal(probing bool) *errs.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := max(time.Until(b.retry), time.Millisecond)
	when := "for " + left.Round(100*time.Millisecond).String()
	if probing {
		left, when = time.Second, "until a request that is running succeeds"
	}
	reason := b.last.Reason()
	cause := errs.ReasonName(reason)
	if reason != errs.Internal { // the text of internal errors is for the log only
		cause += ": " + b.last.Message()
	}
	return errs.New(errs.LoadCooldown, "model %q gets no requests %s, because %d in a row failed, the last with %s",
		b.model, when, b.tripped, cause).
		WithRetryAfter(left).
		WithCause(b.last).
		With("model", b.model).
		With("cause", errs.ReasonName(reason)).
		With("breaker", "open")
}

// describe returns the breaker's state.
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

func (b *breaker) succeeded() {
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
		if b.ended == id {
			return false
		}
		b.ended = id
	}
	b.failures++
	b.last = errs.From(err)
	return true
}

// isModelFailure reports whether a request's error is a failure of the model.
// Errors of the client, its deadlines and cancels, full queues, busy memory, used up quotas and
// errors of the configuration are not. ctx is the call's.
func isModelFailure(ctx context.Context, err error) bool {
	var client clientError
	if errors.As(err, &client) || errors.Is(err, errNotCounted) || errors.Is(err, errSlowReader) || errors.Is(err, errNoOutputInTime) {
		return false
	}
	switch errs.ReasonOf(err) {
	case errs.EngineCrashed, errs.Internal:
		return true
	case errs.DeadlineExceeded: // the engine's, e.g. of a call to the cloud
		return callEnd(ctx) == nil
	default:
		return false
	}
}
