package lifecycle

import (
	"context"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Each test of this file is for a bug of a similar program, given by its issue.

// llama.cpp#21678: a model was evicted in the middle of a generation.
func TestNoEvictionOfALeasedModel(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, low), spec("b", 80*mb, critical))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	b := s.request("b")
	for range 60 {
		s.workers[l.proc].work++
		s.advance(20 * time.Second)
		if b.resolved {
			s.reason(b, errs.MemoryBusy) // at MaxWait, for no other reason
			b = s.request("b")
		}
	}
	s.waits(b)
	if p := l.proc; p.phase == phaseStopping || s.workers[p].stopped {
		t.Fatal("a leased model was stopped")
	}
	s.release(l, nil)
	s.state("a", draining)
	s.reaped("a", nil)
	s.loaded("b")
	s.lease(b)
}

// llama.cpp#28698: a model was evicted before the request it was loaded for
// reached it.
func TestNoEvictionBeforeTheFirstLease(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, CPUThreads: 1, CPUQuantum: time.Hour},
		spec("busy", 10*mb, critical, threads(1)), spec("a", 80*mb, low, threads(1)), spec("b", 80*mb, critical))
	w := s.request("busy")
	s.loaded("busy")
	busy := s.lease(w)
	a := s.request("a")
	s.loaded("a")
	s.waits(a) // for the core
	b := s.request("b")
	s.advance(10 * time.Second)
	s.state("a", ready)
	s.release(busy, nil)
	l := s.lease(a)
	s.release(l, nil)
	s.reaped("a", nil)
	s.loaded("b")
	s.lease(b)
}

// llama.cpp#22284: two models evicted each other endlessly and served no request.
func TestAlternatingModelsDoNotStarveEachOther(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, HandoverAfter: time.Second},
		spec("a", 80*mb, normal), spec("b", 80*mb, normal))
	served := map[string]int{}
	waiting := map[string]*waiter{}
	var held []*Lease
	// Overlapping requests need both models all the time.
	for range 400 {
		for _, name := range []string{"a", "b"} {
			if w := waiting[name]; w == nil || w.resolved {
				if w != nil {
					held = append(held, s.lease(w))
					served[name]++
				}
				waiting[name] = s.request(name)
			}
		}
		if len(held) > 2 {
			s.release(held[0], nil)
			held = held[1:]
		}
		for _, name := range []string{"a", "b"} {
			switch p := s.o.byName[name].proc; {
			case p == nil:
			case p.phase == phaseLoading:
				s.loaded(name)
			case p.phase == phaseStopping:
				s.reaped(name, nil)
			case p.phase == phaseDraining && len(held) > 0 && held[0].proc == p:
				s.release(held[0], nil)
				held = held[1:]
			}
		}
		s.advance(100 * time.Millisecond)
	}
	if served["a"] < 50 || served["b"] < 50 {
		t.Fatalf("served %v: one model starves", served)
	}
	// A load serves more than one request on average: no thrashing.
	if loads := s.launches["a"] + s.launches["b"]; served["a"]+served["b"] < 3*loads {
		t.Fatalf("%d loads for %v", loads, served)
	}
}

// ollama#15474: page cache counted as used. Only the memory of the process and
// the reservation count.
func TestOnlyProcessMemoryCounts(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 50*mb, normal), spec("b", 50*mb, normal))
	s.serve("a")
	s.measured("a", 30*mb)
	if got := s.o.snapshot().used(); got != 50*mb {
		t.Fatalf("used %d", got)
	}
	s.serve("b")
	s.state("a", ready)
	s.state("b", ready)
}

// ollama#13227: a host without a GPU evicted although both models fitted.
func TestNoEvictionWithoutNeed(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 200 * mb}, spec("a", 80*mb, low), spec("b", 80*mb, critical), spec("c", 40*mb, high))
	for _, name := range []string{"a", "b", "c", "a", "b", "c"} {
		s.serve(name)
	}
	for _, name := range []string{"a", "b", "c"} {
		if s.launches[name] != 1 {
			t.Errorf("%s was loaded %d times", name, s.launches[name])
		}
	}
}

// ollama#7408: the first client left during a load, and the load was cancelled.
func TestALoadOutlivesItsFirstCaller(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	first, second := s.request("a"), s.request("a")
	s.leave(first, context.Canceled)
	s.reason(first, errs.Cancelled)
	s.state("a", loading)
	s.loaded("a")
	s.lease(second)
	if s.launches["a"] != 1 {
		t.Errorf("%d loads", s.launches["a"])
	}
}

func TestALoadIsCancelledWhenAllCallersHaveLeft(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	first, second := s.request("a"), s.request("a")
	s.leave(first, context.Canceled)
	s.leave(second, context.Canceled)
	s.state("a", draining)
	if got := s.o.snapshot().used(); got != 80*mb {
		t.Errorf("charged %d before the process is reaped", got)
	}
	// A request that arrives now is served by the next load.
	third := s.request("a")
	s.reaped("a", nil)
	s.loaded("a")
	s.lease(third)
}

// LocalAI#5221: the watchdog killed a back end that was producing tokens.
func TestProgressKeepsAWorkerAlive(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	for range 100 {
		s.advance(29 * time.Second)
		s.workers[l.proc].work++
		s.measured("a", 10*mb)
	}
	s.state("a", ready)
	if l.Cause() != nil {
		t.Fatal(l.Cause())
	}
}

// llama-swap#946: the idle unload raced a request and locked up.
func TestIdleUnloadDoesNotRaceARequest(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	s.serve("a")
	s.advance(5*time.Minute - 1)
	s.state("a", ready)
	s.clock.Advance(1)
	w := s.request("a") // at the end of the idle timeout: it is served before the unload
	l := s.lease(w)
	s.release(l, nil)
	s.advance(5 * time.Minute)
	s.state("a", draining)
	late := s.request("a") // after the unload: it waits for the reload
	s.waits(late)
	s.reaped("a", nil)
	s.state("a", loading)
	s.loaded("a")
	s.lease(late)
	if e := s.o.byName["a"].lastUnload; e.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_IDLE {
		t.Errorf("evicted because of %v", e)
	}
}

// lemonade#1804: an estimate that was too small ended in the kernel's OOM killer.
func TestAnUnderestimatedModelStaysInTheBudget(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("grower", 10*mb, normal), spec("idle", 40*mb, normal), spec("work", 30*mb, low))
	s.serve("idle")
	w := s.request("work")
	s.loaded("work")
	work := s.lease(w)
	w = s.request("grower")
	s.loaded("grower")
	grower := s.lease(w)

	s.measured("grower", 50*mb) // idle is ended
	s.state("idle", draining)
	s.state("grower", ready)
	s.measured("grower", 65*mb) // without idle, all is within the budget
	s.state("grower", ready)
	s.measured("grower", 75*mb) // too much even without idle
	s.state("grower", draining)
	if got := errs.ReasonOf(grower.Cause()); got != errs.MemoryBusy {
		t.Errorf("its request ends with %v", grower.Cause())
	}
	if work.Cause() != nil {
		t.Errorf("another request was ended: %v", work.Cause())
	}
	s.release(grower, grower.Cause())
	s.reaped("idle", nil)
	s.reaped("grower", nil)
	if e := s.o.byName["grower"].lastUnload; e.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_OVER_BUDGET {
		t.Errorf("evicted because of %v", e)
	}
	// The next load reserves more, and waits for the memory.
	next := s.request("grower")
	s.waits(next)
	s.state("grower", unloaded)
	s.release(work, nil)
	s.reaped("work", nil)
	if p := s.proc("grower"); p.reserved != 75*mb {
		t.Errorf("reserves %d", p.reserved)
	}
}
