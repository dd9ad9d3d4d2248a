package router

import (
	"context"
	"sync"

	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/sony/gobreaker/v2"
)

// breakerCall is a request that a breaker has let through. It holds a place of
// the circuit until its result is reported.
type breakerCall struct {
	breaker *breaker

	mu    sync.Mutex
	done  func(error) // reports the result; nil while the request holds no place
	ended bool
}

// hasOutput says that the model has produced its first output. That closes a
// half-open breaker: a long request must not keep others away until it ends. It
// does so also for a request from before the breaker opened.
func (c *breakerCall) hasOutput() {
	c.mu.Lock()
	defer c.mu.Unlock()
	circuit := c.breaker.circuit
	if c.ended || circuit.State() != gobreaker.StateHalfOpen {
		return
	}
	c.breaker.succeeded()
	c.report(nil)
	// The circuit ignores the result of a request from before it opened.
	if circuit.State() == gobreaker.StateHalfOpen {
		c.takePlace()
		c.report(nil)
	}
	if circuit.State() == gobreaker.StateClosed {
		c.takePlace() // the end of the request counts as usual
	}
}

// paused says that the request waits for its client. If the request was to find
// out whether the model works again, it makes room for another: it may wait for
// long.
func (c *breakerCall) paused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.breaker.circuit.State() == gobreaker.StateHalfOpen {
		c.report(errNotCounted)
	}
}

// end reports the result of the request. ctx is the call's; id is the worker that
// ran the request, zero if none did.
func (c *breakerCall) end(ctx context.Context, id lifecycle.WorkerID, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	if c.done == nil {
		c.takePlace()
	}
	if c.done == nil {
		return
	}
	switch b := c.breaker; {
	case err == nil:
		b.succeeded()
		c.report(nil)
	case isModelFailure(ctx, err) && b.failed(id, err):
		c.report(err)
	default:
		c.report(errNotCounted)
	}
}

// takePlace takes a place of the circuit if one is free. The caller holds mu.
func (c *breakerCall) takePlace() {
	if done, err := c.breaker.circuit.Allow(); err == nil {
		c.done = done
	}
}

// report gives the place back with a result. The caller holds mu.
func (c *breakerCall) report(err error) {
	if c.done != nil {
		c.done(err)
		c.done = nil
	}
}
