package lifecycle

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestADemandAboveTheBudgetEvictsNothing(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, low), spec("huge", 101*mb, critical))
	s.serve("a")
	e := s.reason(s.request("huge"), errs.ModelExceedsBudget)
	s.state("a", ready)
	s.state("huge", unloaded)
	for _, part := range []string{"101 MiB", "100 MiB", "MAX_MEMORY_MB"} {
		if !strings.Contains(e.Message(), part) {
			t.Errorf("the message %q lacks %q", e.Message(), part)
		}
	}
}

func TestAVictimIsChargedUntilItIsReaped(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal), spec("b", 80*mb, normal))
	s.serve("a")
	b := s.request("b")
	s.state("a", draining)
	s.state("b", unloaded)
	if s.launches["b"] != 0 {
		t.Fatal("launched before the victim was reaped")
	}
	s.reaped("a", nil)
	s.state("b", loading)
	s.loaded("b")
	s.lease(b)
	e := s.o.byName["a"].lastUnload
	if e.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE || e.GetRequestedBy() != "b" {
		t.Errorf("eviction %v", e)
	}
}

func TestPriorityProtectsAResident(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("top", 80*mb, critical, idleAfter(time.Minute)), spec("low", 80*mb, low))
	s.serve("top")
	// Its deadline is before it has waited for long enough to be of top's priority,
	// and before the end of top's idle timeout: waiting does not help.
	e := s.reason(s.request("low", s.within(29*time.Second)), errs.MemoryBusy)
	if e.RetryAfter() != 30*time.Second {
		t.Errorf("retry after %s", e.RetryAfter())
	}
	// A request that can wait until then gets the memory.
	w := s.request("low", s.within(2*time.Minute))
	s.waits(w)
	s.advance(29 * time.Second)
	s.state("top", ready)
	s.advance(time.Second)
	s.state("top", draining)
	s.reaped("top", nil)
	s.loaded("low")
	s.lease(w)
	// A request of the same priority may evict at once, whatever its model's.
	s.release(w.lastLease(s), nil)
	s.advance(time.Second)
	s.request("top")
	s.state("low", draining)
}

// lastLease returns the only lease of the waiter's model.
func (w *waiter) lastLease(s *sim) *Lease {
	for l := range s.proc(w.model.spec.Name).leases {
		return l
	}
	return nil
}

func TestPinnedMemoryIsBusy(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, low), spec("b", 80*mb, critical))
	p := s.preload("a", true)
	s.loaded("a")
	if a := <-p.result; a.err != nil {
		t.Fatal(a.err)
	}
	e := s.reason(s.request("b"), errs.MemoryBusy)
	if !strings.Contains(e.Message(), "a (80 MiB, pinned)") {
		t.Error(e.Message())
	}
	s.advance(time.Hour)
	s.state("a", ready)
	done := make(chan int64, 1)
	s.do(func(o *owner) { o.byName["a"].unload(done) })
	b := s.request("b")
	s.reaped("a", nil)
	if freed := <-done; freed != 80*mb {
		t.Errorf("freed %d", freed)
	}
	s.loaded("b")
	s.lease(b)
}

func TestAHandoverIsCancelledWhenNotNeeded(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, HandoverAfter: time.Second}, spec("a", 80*mb, normal), spec("b", 80*mb, normal))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	b := s.request("b")
	s.advance(time.Second)
	s.state("a", draining)
	a2 := s.request("a")
	s.waits(a2)
	s.leave(b, context.Canceled)
	s.state("a", ready)
	s.lease(a2)
	if l.Cause() != nil || s.launches["a"] != 1 {
		t.Error("the model was not kept")
	}
}

func TestALeakyModelLoadsAlone(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 20*mb, normal), spec("b", 20*mb, normal))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	s.measured("a", 130*mb)
	s.reaped("a", nil)
	if e := errs.From(l.Cause()); e.Reason() != errs.MemoryBusy || !strings.Contains(e.Message(), "reserves the whole budget") {
		t.Errorf("the cause is %v", e)
	}
	s.release(l, l.Cause())
	s.serve("b")
	w = s.request("a") // at once, and evicts b
	s.reaped("b", nil)
	if got := s.proc("a").reserved; got != 100*mb {
		t.Errorf("reserves %d", got)
	}
	s.loaded("a")
	s.release(s.lease(w), nil)
}

func TestALoadThatOutgrowsTheBudgetFails(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 20*mb, normal))
	w := s.request("a")
	p := s.proc("a")
	s.do(func(*owner) { p.launched(s.workers[p]) })
	s.measured("a", 101*mb)
	s.waits(w)
	s.reaped("a", nil)
	s.reason(w, errs.ModelExceedsBudget)
	s.state("a", failed)
	e := s.reason(s.request("a"), errs.LoadCooldown) // it is not loaded again and again
	if e.Metadata()["cause"] != "MODEL_EXCEEDS_BUDGET" {
		t.Errorf("the cooldown is because of %v", e.Metadata())
	}
}

func TestAnUnderpredictedLoadTriesAgainWithMore(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 20*mb, normal), spec("b", 60*mb, normal))
	wb := s.request("b")
	s.loaded("b")
	lb := s.lease(wb)
	w := s.request("a")
	p := s.proc("a")
	s.do(func(*owner) { p.launched(s.workers[p]) })
	s.measured("a", 50*mb)
	s.state("a", draining)
	s.reaped("a", nil)
	s.waits(w)
	s.release(lb, nil)
	s.reaped("b", nil)
	if got := s.proc("a").reserved; got != 50*mb {
		t.Errorf("reserved %d", got)
	}
	s.loaded("a")
	s.lease(w)
}

func TestMaxWaitEndsAWait(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, MaxWait: time.Minute}, spec("top", 80*mb, critical, idleAfter(0)), spec("b", 80*mb, critical, idleAfter(0)))
	w := s.request("top")
	s.loaded("top")
	l := s.lease(w)
	b := s.request("b")
	for range 60 {
		s.waits(b)
		s.advance(time.Second)
		s.workers[l.proc].work++
	}
	s.reason(b, errs.MemoryBusy)
	s.state("top", ready)
}

func TestALargeModelIsNotStarvedBySmallOnes(t *testing.T) {
	specs := []ModelSpec{spec("large", 80*mb, normal)}
	small := []string{"s0", "s1", "s2", "s3", "s4", "s5"}
	for _, name := range small {
		specs = append(specs, spec(name, 30*mb, normal, concurrency(1)))
	}
	s := newSim(t, Options{BudgetBytes: 100 * mb, HandoverAfter: time.Second, AgingStep: time.Hour}, specs...)
	waiting := map[string]*waiter{}
	held := map[*Lease]time.Time{}
	var large *waiter
	// A small one is loaded every 400 ms, so that at any time one of them is new.
	for step := 0; ; step++ {
		loads := 0
		for _, name := range small {
			if w := waiting[name]; w == nil || w.resolved {
				if w != nil {
					held[s.lease(w)] = s.clock.Now()
				}
				waiting[name] = s.request(name)
			}
		}
		if step == 50 {
			large = s.request("large")
		}
		if large != nil && large.resolved {
			break
		}
		if step > 250 {
			t.Fatal("the large model still waits")
		}
		for l, since := range held {
			if s.clock.Since(since) >= 300*time.Millisecond {
				delete(held, l)
				s.release(l, nil)
			}
		}
		for _, m := range s.o.models {
			switch p := m.proc; {
			case p == nil:
			case p.phase == phaseLoading && step%4 == 0 && loads == 0:
				s.loaded(m.spec.Name)
				loads++
			case p.phase == phaseStopping:
				s.reaped(m.spec.Name, nil)
			}
		}
		s.advance(100 * time.Millisecond)
	}
	s.lease(large)
}

func TestTheHardLimitExcludesMemoryOfOthers(t *testing.T) {
	const gb = 1 << 10 * mb
	s := newSim(t, Options{BudgetBytes: 8 * gb}, spec("a", 4*gb, normal), spec("b", 3*gb, normal), spec("c", gb, normal))
	for _, name := range []string{"a", "b", "c"} {
		s.serve(name)
	}
	want := map[string]int64{"a": 10 * gb, "b": 5 * gb, "c": gb + 512*mb}
	for name, limit := range want {
		if s.limits[name] != limit {
			t.Errorf("%s may hold %d, want %d", name, s.limits[name], limit)
		}
	}
}
