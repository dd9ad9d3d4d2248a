package router

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

const (
	closed   = gatewayv1.BreakerState_BREAKER_STATE_CLOSED
	halfOpen = gatewayv1.BreakerState_BREAKER_STATE_HALF_OPEN
	opened   = gatewayv1.BreakerState_BREAKER_STATE_OPEN
)

// testBreaker is a breaker that opens for 30 s after three failures, and records
// the changes of its state.
type testBreaker struct {
	*breaker
	t      *testing.T
	states []gatewayv1.BreakerState
	log    bytes.Buffer
}

func newTestBreaker(t *testing.T) *testBreaker {
	b := &testBreaker{t: t}
	b.breaker = newBreaker("m", BreakerOptions{Failures: 3, Open: 30 * time.Second}, slog.New(slog.NewTextHandler(&b.log, nil)),
		func(_ string, s gatewayv1.BreakerState) { b.states = append(b.states, s) })
	return b
}

// request runs a request that ends with err.
func (b *testBreaker) request(err error) {
	b.t.Helper()
	b.end(b.allowed(), err)
}

// end ends a request with err.
func (b *testBreaker) end(call *breakerCall, err error) {
	call.end(b.t.Context(), lifecycle.WorkerID{}, err)
}

func (b *testBreaker) allowed() *breakerCall {
	b.t.Helper()
	p, refusal := b.allow()
	if refusal != nil {
		b.t.Fatal(refusal)
	}
	return p
}

func (b *testBreaker) state(want gatewayv1.BreakerState) {
	b.t.Helper()
	if got := b.describe(); got.GetState() != want {
		b.t.Fatalf("the breaker is %v, want %v", got, want)
	}
}

func crash() error { return errs.New(errs.EngineCrashed, "it crashed") }

func (b *testBreaker) trip() {
	b.t.Helper()
	for range 3 {
		b.request(crash())
	}
	b.state(opened)
}

func TestBreakerOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBreaker(t)
		b.request(crash())
		b.request(crash())
		b.request(nil) // resets the count
		b.request(crash())
		b.request(crash())
		b.state(closed)
		if d := b.describe(); d.GetConsecutiveFailureCount() != 2 || d.GetLastFailureReason() != errs.EngineCrashed || d.GetRetryTime() != nil {
			t.Errorf("%v", d)
		}
		b.request(crash())
		b.state(opened)
		if d := b.describe(); d.GetConsecutiveFailureCount() != 3 || !d.GetRetryTime().AsTime().Equal(time.Now().Add(30*time.Second)) {
			t.Errorf("%v", d)
		}
		time.Sleep(10 * time.Second)
		_, refusal := b.allow()
		if errs.ReasonOf(refusal) != errs.LoadCooldown || refusal.RetryAfter() != 20*time.Second || refusal.Metadata()["cause"] != "ENGINE_CRASHED" ||
			refusal.Metadata()["breaker"] != "open" || !strings.Contains(refusal.Message(), "gets no requests for 20s, because 3 in a row failed, the last with ENGINE_CRASHED: it crashed") {
			t.Errorf("%v %v", refusal, refusal.Metadata())
		}
		time.Sleep(20*time.Second + time.Nanosecond)
		probe := b.allowed()
		b.state(halfOpen)
		if _, refusal := b.allow(); refusal == nil || refusal.RetryAfter() != time.Second {
			t.Errorf("during a probe: %v", refusal)
		}
		b.end(probe, crash())
		b.state(opened)
		time.Sleep(30*time.Second + time.Nanosecond)
		b.request(nil)
		b.state(closed)
		b.request(nil)
		want := []gatewayv1.BreakerState{opened, halfOpen, opened, halfOpen, closed}
		if !slices.Equal(b.states, want) {
			t.Errorf("states %v", b.states)
		}
		if strings.Count(b.log.String(), "\n") != len(want) || !strings.Contains(b.log.String(), "last_failure=ENGINE_CRASHED") {
			t.Errorf("log:\n%s", &b.log)
		}
	})
}

// Only failures of the model count. Other errors do not reset the count either.
func TestBreakerCountsModelFailures(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	late := lateContext{t.Context()}
	cases := map[string]struct {
		ctx    context.Context
		err    error
		counts bool
	}{
		"the request did not run":         {t.Context(), errNotCounted, false},
		"a crash":                         {t.Context(), crash(), true},
		"an internal error":               {t.Context(), errs.New(errs.Internal, "x"), true},
		"the engine's own deadline":       {t.Context(), errs.New(errs.DeadlineExceeded, "x"), true},
		"the caller's deadline":           {gone, errs.New(errs.DeadlineExceeded, "x"), false},
		"a deadline that passed just now": {late, errs.New(errs.DeadlineExceeded, "x"), false},
		"the time of the next candidate":  {t.Context(), errs.New(errs.DeadlineExceeded, "x").WithCause(errNoOutputInTime), false},
		"the client reads nothing":        {t.Context(), errs.New(errs.DeadlineExceeded, "x").WithCause(errSlowReader), false},
		"the client's stream broke":       {t.Context(), clientError{crash()}, false},
		"the caller cancelled":            {gone, errs.New(errs.Cancelled, "x"), false},
		"a bad request":                   {t.Context(), errs.New(errs.InvalidRequest, "x"), false},
		"bad audio":                       {t.Context(), errs.New(errs.AudioUnreadable, "x"), false},
		"a full queue":                    {t.Context(), errs.New(errs.QueueFull, "x"), false},
		"busy memory":                     {t.Context(), errs.New(errs.MemoryBusy, "x"), false},
		"a quota that is used up":         {t.Context(), errs.New(errs.RateLimited, "x"), false},
		"a task that it does not support": {t.Context(), errs.New(errs.EngineUnavailable, "x"), false},
		"a server that shuts down":        {t.Context(), errs.New(errs.Draining, "x"), false},
	}
	for name, c := range cases {
		b := newTestBreaker(t)
		b.request(crash())
		b.allowed().end(c.ctx, lifecycle.WorkerID{}, c.err)
		want := int32(1)
		if c.counts {
			want = 2
		}
		if got := b.describe().GetConsecutiveFailureCount(); got != want {
			t.Errorf("%s: %d failures in a row, want %d", name, got, want)
		}
	}
}

// lateContext is a context whose deadline has passed, but not its timer.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now(), true }

// The worker may answer that the deadline has passed before the context of the
// call ends. No other model is tried then, and no breaker counts it.
func TestWorkerThatSeesTheDeadlineFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timedOut := func(context.Context, func() ([]byte, error), func(string)) error {
			return errs.New(errs.DeadlineExceeded, "the deadline passed")
		}
		models := newTwoModels(timedOut, replying("second"))
		for range 10 {
			_, err := models.Run(lateContext{t.Context()}, Request{Task: "chat"}, &textSink{})
			if errs.ReasonOf(err) != errs.DeadlineExceeded {
				t.Fatal(err)
			}
		}
		if b := models.Breaker("first"); b.GetState() != closed || b.GetConsecutiveFailureCount() != 0 || len(models.fallbacks) > 0 {
			t.Errorf("%v, fallbacks %v", b, models.fallbacks)
		}
	})
}

// A worker that ends fails all its requests. That is one failure.
func TestBreakerCountsTheEndOfAWorkerOnce(t *testing.T) {
	b := newTestBreaker(t)
	lost := func(launch int) {
		id := lifecycle.WorkerID{Model: "m", Launch: launch}
		b.allowed().end(t.Context(), id, errs.New(errs.EngineCrashed, "it crashed").WithCause(worker.ErrEnded))
	}
	for range 16 {
		lost(1)
	}
	b.state(closed)
	b.request(crash()) // its worker did not end
	lost(1)
	b.state(closed)
	lost(2)
	b.state(opened)
}

// The first output of a probe closes the breaker, however long the probe takes.
func TestFirstOutputClosesTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBreaker(t)
		b.trip()
		time.Sleep(31 * time.Second)
		stream := b.allowed()
		stream.hasOutput()
		b.state(closed)
		b.request(nil)
		b.request(crash())
		b.request(crash())
		b.end(stream, crash()) // counts as usual
		b.state(opened)
		b.end(stream, nil)
		b.state(opened)
	})
}

// Output of a request from before the breaker opened shows that the model works
// again. It closes a half-open breaker and does not count as a probe.
func TestOutputOfAnOldRequestClosesTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBreaker(t)
		old := b.allowed()
		b.trip()
		old.hasOutput() // the breaker is not half-open yet
		b.state(opened)
		time.Sleep(31 * time.Second)
		b.state(halfOpen)
		old.hasOutput()
		b.state(closed)
		time.Sleep(time.Hour)
		b.request(nil)
		// The end of the old request counts as usual.
		b.request(crash())
		b.request(crash())
		b.end(old, crash())
		b.state(opened)
	})
}

// During a probe, output of an old request changes nothing.
func TestOutputOfAnOldRequestDoesNotEndAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBreaker(t)
		old := b.allowed()
		b.trip()
		time.Sleep(31 * time.Second)
		probe := b.allowed()
		old.hasOutput()
		b.state(halfOpen)
		b.end(old, crash())
		b.state(halfOpen)
		probe.hasOutput()
		b.state(closed)
		b.end(probe, nil)
		b.request(nil)
	})
}

// A probe that waits for its client makes room for another. Its output counts
// when it comes.
func TestPausedProbeMakesRoomForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBreaker(t)
		b.trip()
		time.Sleep(31 * time.Second)
		silent := b.allowed()
		silent.paused()
		b.state(halfOpen)
		second := b.allowed()
		if _, refusal := b.allow(); refusal == nil {
			t.Error("two probes at once")
		}
		second.paused()
		second.hasOutput()
		b.state(closed)
		silent.paused()
		b.end(silent, crash())
		b.end(second, crash())
		if n := b.describe().GetConsecutiveFailureCount(); n != 2 {
			t.Errorf("%d failures", n)
		}
		b.request(crash())
		b.state(opened)
		time.Sleep(31 * time.Second)
		silent = b.allowed()
		silent.paused()
		b.end(silent, crash())
		b.state(opened)
	})
}

// A probe whose end does not count is followed by another.
func TestProbeThatDoesNotCountIsFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBreaker(t)
		b.trip()
		time.Sleep(31 * time.Second)
		b.request(errs.New(errs.Cancelled, "left"))
		b.state(halfOpen)
		b.request(errs.New(errs.QueueFull, "full"))
		b.state(halfOpen)
		b.request(nil)
		b.state(closed)
	})
}

// Requests from before the breaker opened say nothing about the present.
func TestEndsOfOldRequestsDoNotChangeTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBreaker(t)
		good, bad := b.allowed(), b.allowed()
		b.trip()
		b.end(good, nil)
		b.state(opened)
		if _, refusal := b.allow(); !strings.Contains(refusal.Message(), "3 in a row failed") {
			t.Error(refusal)
		}
		time.Sleep(31 * time.Second)
		b.request(nil)
		b.end(bad, crash())
		b.state(closed)
	})
}

func TestBreakerWithoutALimitStaysClosed(t *testing.T) {
	b := newBreaker("m", BreakerOptions{}, slog.New(slog.DiscardHandler), func(string, gatewayv1.BreakerState) { t.Error("the state changed") })
	for range 100 {
		p, refusal := b.allow()
		if refusal != nil {
			t.Fatal(refusal)
		}
		p.end(t.Context(), lifecycle.WorkerID{}, crash())
	}
}

func TestRefusalDoesNotQuoteInternalErrors(t *testing.T) {
	b := newTestBreaker(t)
	for range 3 {
		b.request(errs.New(errs.Internal, "the secret of line 42").WithCause(errors.New("x")))
	}
	_, refusal := b.allow()
	if strings.Contains(refusal.Message(), "secret") || refusal.Metadata()["cause"] != "INTERNAL" {
		t.Errorf("%v", refusal)
	}
}
