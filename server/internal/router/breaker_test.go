package router

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
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

// fused is a breaker that opens for 30 s after three failures, and what it told.
type fused struct {
	*breaker
	t      *testing.T
	states []gatewayv1.BreakerState
	log    bytes.Buffer
}

func newFused(t *testing.T) *fused {
	f := &fused{t: t}
	f.breaker = newBreaker("m", BreakerOptions{Failures: 3, Open: 30 * time.Second}, slog.New(slog.NewTextHandler(&f.log, nil)),
		func(_ string, s gatewayv1.BreakerState) { f.states = append(f.states, s) })
	return f
}

// request runs one that ends with an error.
func (f *fused) request(err error) {
	f.t.Helper()
	f.admitted().end(f.t.Context(), lifecycle.WorkerID{}, err)
}

func (f *fused) admitted() *passage {
	f.t.Helper()
	p, refusal := f.admit()
	if refusal != nil {
		f.t.Fatal(refusal)
	}
	return p
}

func (f *fused) state(want gatewayv1.BreakerState) {
	f.t.Helper()
	if got := f.describe(); got.GetState() != want {
		f.t.Fatalf("the breaker is %v, want %v", got, want)
	}
}

func crash() error { return errs.New(errs.EngineCrashed, "it crashed") }

func (f *fused) trip() {
	f.t.Helper()
	for range 3 {
		f.request(crash())
	}
	f.state(opened)
}

func TestABreakerOpensAndClosesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFused(t)
		f.request(crash())
		f.request(crash())
		f.request(nil) // ends the row
		f.request(crash())
		f.request(crash())
		f.state(closed)
		if d := f.describe(); d.GetConsecutiveFailureCount() != 2 || d.GetLastFailureReason() != errs.EngineCrashed || d.GetRetryTime() != nil {
			t.Errorf("%v", d)
		}
		f.request(crash())
		f.state(opened)
		if d := f.describe(); d.GetConsecutiveFailureCount() != 3 || !d.GetRetryTime().AsTime().Equal(time.Now().Add(30*time.Second)) {
			t.Errorf("%v", d)
		}
		time.Sleep(10 * time.Second)
		_, refusal := f.admit()
		if errs.ReasonOf(refusal) != errs.LoadCooldown || refusal.RetryAfter() != 20*time.Second || refusal.Metadata()["cause"] != "ENGINE_CRASHED" ||
			refusal.Metadata()["breaker"] != "open" || !strings.Contains(refusal.Message(), "not asked for 20s, after 3 failed requests in a row; the last failed with ENGINE_CRASHED: it crashed") {
			t.Errorf("%v %v", refusal, refusal.Metadata())
		}
		time.Sleep(20*time.Second + time.Nanosecond)
		probe := f.admitted()
		f.state(halfOpen)
		if _, refusal := f.admit(); refusal == nil || refusal.RetryAfter() != time.Second {
			t.Errorf("while one request finds out: %v", refusal)
		}
		probe.end(t.Context(), lifecycle.WorkerID{}, crash())
		f.state(opened)
		time.Sleep(30*time.Second + time.Nanosecond)
		f.request(nil)
		f.state(closed)
		f.request(nil)
		want := []gatewayv1.BreakerState{opened, halfOpen, opened, halfOpen, closed}
		if len(f.states) != len(want) {
			t.Fatalf("told of %v", f.states)
		}
		for i := range want {
			if f.states[i] != want[i] {
				t.Errorf("told of %v", f.states)
			}
		}
		if strings.Count(f.log.String(), "\n") != len(want) || !strings.Contains(f.log.String(), "last_failure=ENGINE_CRASHED") {
			t.Errorf("log:\n%s", &f.log)
		}
	})
}

// Nothing but the model's own failures counts, and nothing else ends a row.
func TestWhatABreakerCounts(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	cases := map[string]struct {
		ctx    context.Context
		err    error
		counts bool
	}{
		"nothing came to work":        {t.Context(), errNoVerdict, false},
		"a crash":                     {t.Context(), crash(), true},
		"an inner fault":              {t.Context(), errs.New(errs.Internal, "x"), true},
		"the engine's own time is up": {t.Context(), errs.New(errs.DeadlineExceeded, "x"), true},
		"the caller's time is up":     {gone, errs.New(errs.DeadlineExceeded, "x"), false},
		"the next candidate's time":   {t.Context(), errs.New(errs.DeadlineExceeded, "x").WithCause(errGivenUp), false},
		"the caller reads nothing":    {t.Context(), errs.New(errs.DeadlineExceeded, "x").WithCause(errStalled), false},
		"the caller's stream broke":   {t.Context(), callerError{crash()}, false},
		"the caller left":             {gone, errs.New(errs.Cancelled, "x"), false},
		"a bad request":               {t.Context(), errs.New(errs.InvalidRequest, "x"), false},
		"bad audio":                   {t.Context(), errs.New(errs.AudioUnreadable, "x"), false},
		"a full queue":                {t.Context(), errs.New(errs.QueueFull, "x"), false},
		"busy memory":                 {t.Context(), errs.New(errs.MemoryBusy, "x"), false},
		"a quota that is used up":     {t.Context(), errs.New(errs.RateLimited, "x"), false},
		"a task that it cannot do":    {t.Context(), errs.New(errs.EngineUnavailable, "x"), false},
		"a server that is shut down":  {t.Context(), errs.New(errs.Draining, "x"), false},
	}
	for name, c := range cases {
		f := newFused(t)
		f.request(crash())
		f.admitted().end(c.ctx, lifecycle.WorkerID{}, c.err)
		want := int32(1)
		if c.counts {
			want = 2
		}
		if got := f.describe().GetConsecutiveFailureCount(); got != want {
			t.Errorf("%s: %d failures in a row, want %d", name, got, want)
		}
	}
}

// A worker that ends fails all its requests.
func TestOneCrashCountsOnce(t *testing.T) {
	f := newFused(t)
	lost := func(launch int) {
		id := lifecycle.WorkerID{Model: "m", Launch: launch}
		f.admitted().end(t.Context(), id, errs.New(errs.EngineCrashed, "it crashed").WithCause(worker.ErrEnded))
	}
	for range 16 {
		lost(1)
	}
	f.state(closed)
	f.request(crash()) // of a worker that lives
	lost(1)
	f.state(closed)
	lost(2)
	f.state(opened)
}

// A stream without end that probes keeps nobody away once it has an answer.
func TestAnAnswerClosesTheBreakerBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFused(t)
		f.trip()
		time.Sleep(31 * time.Second)
		stream := f.admitted()
		stream.answered()
		f.state(closed)
		f.request(nil)
		f.request(crash())
		f.request(crash())
		stream.end(t.Context(), lifecycle.WorkerID{}, crash()) // counts like any other's end
		f.state(opened)
		stream.end(t.Context(), lifecycle.WorkerID{}, nil)
		f.state(opened)
	})
}

// A request from before the breaker opened that answers while it is half open
// shows that the model works, and takes the probe's place from nobody.
func TestAnOldRequestTakesNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFused(t)
		old := f.admitted()
		f.trip()
		old.answered() // too early to tell anything
		f.state(opened)
		time.Sleep(31 * time.Second)
		f.state(halfOpen)
		old.answered()
		f.state(closed)
		time.Sleep(time.Hour)
		f.request(nil)
		// Its end counts as any other's.
		f.request(crash())
		f.request(crash())
		old.end(t.Context(), lifecycle.WorkerID{}, crash())
		f.state(opened)
	})
}

// While another one probes, an old request's answer leaves that to it.
func TestAnOldAnswerLeavesAProbeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFused(t)
		old := f.admitted()
		f.trip()
		time.Sleep(31 * time.Second)
		probe := f.admitted()
		old.answered()
		f.state(halfOpen)
		old.end(t.Context(), lifecycle.WorkerID{}, crash())
		f.state(halfOpen)
		probe.answered()
		f.state(closed)
		probe.end(t.Context(), lifecycle.WorkerID{}, nil)
		f.request(nil)
	})
}

// A probe that waits for its caller makes room for another, and is heard when it
// has something to tell.
func TestAPausedProbeMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFused(t)
		f.trip()
		time.Sleep(31 * time.Second)
		silent := f.admitted()
		silent.paused()
		f.state(halfOpen)
		second := f.admitted()
		if _, refusal := f.admit(); refusal == nil {
			t.Error("two probe at once")
		}
		second.paused()
		second.answered()
		f.state(closed)
		silent.paused()
		silent.end(t.Context(), lifecycle.WorkerID{}, crash())
		second.end(t.Context(), lifecycle.WorkerID{}, crash())
		if n := f.describe().GetConsecutiveFailureCount(); n != 2 {
			t.Errorf("%d failures", n)
		}
		f.request(crash())
		f.state(opened)
		time.Sleep(31 * time.Second)
		silent = f.admitted()
		silent.paused()
		silent.end(t.Context(), lifecycle.WorkerID{}, crash())
		f.state(opened)
	})
}

// Whoever probes and leaves without a verdict gives the place to the next.
func TestAProbeWithoutAVerdictIsFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFused(t)
		f.trip()
		time.Sleep(31 * time.Second)
		f.request(errs.New(errs.Cancelled, "left"))
		f.state(halfOpen)
		f.request(errs.New(errs.QueueFull, "full"))
		f.state(halfOpen)
		f.request(nil)
		f.state(closed)
	})
}

// Requests from before the breaker opened say nothing about what is now.
func TestLateEndsDoNotTurnABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFused(t)
		good, bad := f.admitted(), f.admitted()
		f.trip()
		good.end(t.Context(), lifecycle.WorkerID{}, nil)
		f.state(opened)
		if _, refusal := f.admit(); !strings.Contains(refusal.Message(), "after 3 failed requests") {
			t.Error(refusal)
		}
		time.Sleep(31 * time.Second)
		f.request(nil)
		bad.end(t.Context(), lifecycle.WorkerID{}, crash())
		f.state(closed)
	})
}

func TestABreakerOfNoFailuresStaysClosed(t *testing.T) {
	b := newBreaker("m", BreakerOptions{}, slog.New(slog.DiscardHandler), func(string, gatewayv1.BreakerState) { t.Error("it turned") })
	for range 100 {
		p, refusal := b.admit()
		if refusal != nil {
			t.Fatal(refusal)
		}
		p.end(t.Context(), lifecycle.WorkerID{}, crash())
	}
}

func TestARefusalKeepsInnerFaultsToTheLog(t *testing.T) {
	f := newFused(t)
	for range 3 {
		f.request(errs.New(errs.Internal, "the secret of line 42").WithCause(errors.New("x")))
	}
	_, refusal := f.admit()
	if strings.Contains(refusal.Message(), "secret") || refusal.Metadata()["cause"] != "INTERNAL" {
		t.Errorf("%v", refusal)
	}
}
