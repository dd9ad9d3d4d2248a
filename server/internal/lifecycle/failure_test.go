package lifecycle

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestAHungWorkerIsReplaced(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	queued := s.request("a", withPriority(low))
	lq := s.lease(queued)
	s.advance(30 * time.Second)
	s.state("a", draining)
	for _, l := range []*Lease{l, lq} {
		if errs.ReasonOf(l.Cause()) != errs.EngineCrashed || !strings.Contains(l.Cause().Error(), "no progress for 30s") {
			t.Errorf("cause %v", l.Cause())
		}
		s.release(l, l.Cause())
	}
	next := s.request("a")
	s.waits(next)
	s.reaped("a", nil)
	s.loaded("a")
	s.lease(next)
	if e := s.o.byName["a"].lastUnload; e.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_HUNG {
		t.Errorf("evicted because of %v", e)
	}
}

func TestShortDeadlinesDoNotHideAHang(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	s.serve("a")
	for i := 0; ; i++ {
		if i == 31 {
			t.Fatal("the hung worker still gets requests")
		}
		w := s.request("a", s.within(time.Second))
		if !w.resolved {
			break
		}
		l := s.lease(w)
		s.advance(time.Second)
		s.release(l, context.DeadlineExceeded)
	}
	s.state("a", draining)
	s.reaped("a", nil)
	s.state("a", loading)
}

func TestALongDeadlineWithoutProgressShowsAHang(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	w := s.request("a", s.within(20*time.Second))
	s.loaded("a")
	l := s.lease(w)
	s.advance(4 * time.Second)
	short := s.lease(s.request("a"))
	s.advance(4 * time.Second)
	s.release(short, context.DeadlineExceeded) // it was at work too short to show anything
	s.state("a", ready)
	s.release(l, context.DeadlineExceeded)
	s.state("a", draining)
	if e := s.proc("a").end; e.reason != gatewayv1.EvictionReason_EVICTION_REASON_HUNG || e.detail != "made no progress for 8s" {
		t.Errorf("ended because of %v: %s", e.reason, e.detail)
	}
}

// A worker whose first unit of work takes longer than its callers wait is slow,
// not hung.
func TestCallersThatLeaveSoonShowNoHang(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	s.serve("a")
	previous := s.lease(s.request("a"))
	for range 200 {
		s.advance(time.Second)
		l := s.lease(s.request("a")) // overlaps with the one before
		s.advance(time.Second)
		s.release(previous, context.Canceled)
		previous = l
	}
	s.state("a", ready)
	// A request that waits longer shows the hang.
	s.advance(29 * time.Second)
	s.state("a", draining)
}

func TestShortDeadlinesDoNotEndAWorkerThatProgresses(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	s.serve("a")
	for i := range 200 {
		l := s.lease(s.request("a", s.within(5*time.Second)))
		s.advance(5 * time.Second)
		if i%3 == 0 {
			s.workers[l.proc].work++ // progress
		}
		s.release(l, context.DeadlineExceeded)
	}
	s.state("a", ready)
}

func TestCallersThatLeaveLateShowAHang(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	s.serve("a")
	for range 6 {
		s.state("a", ready)
		l := s.lease(s.request("a"))
		s.advance(5 * time.Second)
		s.release(l, context.Canceled)
	}
	s.state("a", draining)
}

func TestAHungLoadFails(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	w := s.request("a")
	s.advance(30 * time.Second)
	s.waits(w) // until the process is reaped
	s.reaped("a", nil)
	s.reason(w, errs.EngineCrashed)
	s.state("a", failed)
}

func TestACrashEndsTheRequestAndTheNextOneLoadsAgain(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal, concurrency(1)))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	waiting := s.request("a")
	s.reaped("a", errs.New(errs.EngineCrashed, "killed by signal 9"))
	if !strings.Contains(l.Cause().Error(), "signal 9") {
		t.Errorf("cause %v", l.Cause())
	}
	s.release(l, l.Cause())
	s.loaded("a")
	s.lease(waiting)
	if s.launches["a"] != 2 {
		t.Errorf("%d launches", s.launches["a"])
	}
}

func TestACrashLoopCausesACooldown(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, CrashLimit: 3, CooldownBase: time.Second}, spec("a", 80*mb, normal))
	crash := errs.New(errs.EngineCrashed, "exit code 3")
	wait := time.Second
	for range 3 {
		for range 3 {
			w := s.request("a")
			s.loaded("a")
			l := s.lease(w)
			s.reaped("a", crash)
			s.release(l, l.Cause())
		}
		s.state("a", failed)
		e := s.reason(s.request("a"), errs.LoadCooldown)
		if e.RetryAfter() != wait || e.Metadata()["cause"] != "ENGINE_CRASHED" || !strings.Contains(e.Message(), "exit code 3") {
			t.Errorf("cooldown %s %v %q, want %s", e.RetryAfter(), e.Metadata(), e.Message(), wait)
		}
		s.advance(wait)
		wait *= 2
	}
	s.serve("a") // success ends the crash loop
	if m := s.o.byName["a"]; m.failures != 0 || m.crashLoop {
		t.Errorf("%d failures remembered", m.failures)
	}
}

func TestEachFailedLoadDoublesTheCooldown(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, CooldownBase: 2 * time.Second, CooldownMax: 5 * time.Second}, spec("a", 80*mb, normal))
	for _, cool := range []time.Duration{2 * time.Second, 4 * time.Second, 5 * time.Second} {
		w := s.request("a")
		p := s.proc("a")
		s.do(func(*owner) { p.loadFailed(errs.New(errs.ModelFileInvalid, "not a GGUF file")) })
		s.waits(w)
		s.reaped("a", nil)
		s.reason(w, errs.ModelFileInvalid)
		s.state("a", failed)
		e := s.reason(s.request("a"), errs.LoadCooldown)
		if e.RetryAfter() != cool {
			t.Errorf("cooldown %s, want %s", e.RetryAfter(), cool)
		}
		s.advance(cool)
	}
	s.serve("a")
	s.state("a", ready)
}

func TestARepairedFileEndsTheCooldown(t *testing.T) {
	key := "broken"
	var missing error
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal, func(m *ModelSpec) {
		m.Fingerprint = func() string { return key }
		m.Estimate = func() (int64, error) { return 50 * mb, missing }
	}))
	w := s.request("a")
	p := s.proc("a")
	s.do(func(*owner) { p.loadFailed(errs.New(errs.ModelFileInvalid, "truncated")) })
	s.reaped("a", nil)
	s.reason(w, errs.ModelFileInvalid)
	s.reason(s.request("a"), errs.LoadCooldown)
	key = "repaired"
	s.serve("a")

	done := make(chan int64, 1)
	s.do(func(o *owner) { o.byName["a"].unload(done) })
	s.reaped("a", nil)
	missing = errs.New(errs.ModelFileMissing, "no such file")
	s.reason(s.request("a"), errs.ModelFileMissing)
	s.state("a", failed)
	s.reason(s.request("a"), errs.ModelFileMissing) // it is checked again, without a cooldown
	missing = nil
	s.serve("a")
}

func TestACrashWhileDrainingEndsTheRequest(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	done := make(chan int64, 1)
	s.do(func(o *owner) { o.byName["a"].unload(done) })
	s.state("a", draining)
	s.reaped("a", errs.New(errs.EngineCrashed, "killed by signal 11"))
	if errs.ReasonOf(l.Cause()) != errs.EngineCrashed {
		t.Errorf("cause %v", l.Cause())
	}
	if freed := <-done; freed != 80*mb {
		t.Errorf("freed %d", freed)
	}
	s.state("a", unloaded)
}
