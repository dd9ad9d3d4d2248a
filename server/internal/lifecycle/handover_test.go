package lifecycle

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// everySecond requests both models once a second and ends each granted lease
// after half a second, except keep. It returns how often each model was served,
// and the longest time in which a was not.
func everySecond(s *sim, seconds int, keep *Lease) (served map[string]int, gap time.Duration) {
	s.t.Helper()
	served = map[string]int{}
	var waiting []*waiter
	last := s.clock.Now()
	for range seconds {
		for _, name := range []string{"a", "b"} {
			waiting = append(waiting, s.request(name, s.within(10*time.Second)))
		}
		s.workers[keep.proc].work++ // slow, not hung
		s.advance(500 * time.Millisecond)
		var open []*waiter
		for _, w := range waiting {
			if !w.resolved && s.clock.Since(w.arrival) >= 10*time.Second {
				s.leave(w, context.DeadlineExceeded)
			}
			if !w.resolved {
				open = append(open, w)
				continue
			}
			a := <-w.result
			if a.err != nil {
				continue
			}
			served[w.model.spec.Name]++
			if w.model.spec.Name == "a" {
				gap, last = max(gap, s.clock.Since(last)), s.clock.Now()
			}
			s.release(a.lease, nil)
		}
		waiting = open
		s.advance(500 * time.Millisecond)
	}
	for _, w := range waiting {
		s.leave(w, context.Canceled)
	}
	return served, max(gap, s.clock.Since(last))
}

func TestARequestThatNeverEndsBlocksNoModel(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal), spec("b", 80*mb, normal))
	w := s.request("a")
	s.loaded("a")
	endless := s.lease(w)
	served, gap := everySecond(s, 600, endless)
	if served["a"] < 400 || gap > 10*time.Second {
		t.Errorf("a was served %d times in 600 s, once not for %s", served["a"], gap)
	}
	if endless.Cause() != nil || s.launches["a"] != 1 {
		t.Errorf("the request was ended: %v", endless.Cause())
	}
	// Once it ends, b is loaded without waiting for the end of the back-off.
	s.release(endless, nil)
	b := s.request("b")
	s.advance(2 * time.Second)
	s.reaped("a", nil)
	s.loaded("b")
	s.lease(b)
}

func TestEachFailedHandoverDoublesTheBackoff(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, HandoverAfter: time.Second}, spec("a", 80*mb, normal), spec("b", 80*mb, normal),
		spec("small", 20*mb, normal))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	b := s.request("b")
	s.advance(time.Second)
	for _, backoff := range []time.Duration{1, 2, 4, 8} {
		s.state("a", draining)
		if got := s.o.planned.nextWake(); got > time.Second {
			t.Errorf("the owner would wake after %s", got)
		}
		s.advance(time.Second)
		s.state("a", ready)
		s.advance(backoff*time.Second - 1)
		s.state("a", ready)
		s.advance(1)
	}
	s.advance(time.Second)
	s.state("a", ready)
	// Memory that b cannot get soon is free for others.
	s.serveNext("small")
	s.advance(5 * time.Minute)
	e := s.reason(b, errs.MemoryBusy)
	if !strings.Contains(e.Message(), "a (80 MiB, running 1 request)") && !strings.Contains(e.Message(), "a (80 MiB, being unloaded)") {
		t.Error(e.Message())
	}
	s.release(l, nil)
}

// serveNext serves a request by a model that fits.
func (s *sim) serveNext(name string) {
	s.t.Helper()
	w := s.request(name)
	s.loaded(name)
	s.release(s.lease(w), nil)
}

func TestAnAbandonedUnloadKeepsTheModel(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal, func(m *ModelSpec) { m.Pinned = true }))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	a := s.o.byName["a"]
	first, second := make(chan int64, 1), make(chan int64, 1)
	s.do(func(*owner) { a.unload(first) })
	s.do(func(*owner) { a.unload(second) })
	s.state("a", draining)
	waiting := s.request("a")
	s.waits(waiting)
	s.do(func(*owner) { a.abandonUnload(first, context.Canceled) })
	s.state("a", draining) // the second unload still waits
	var err *errs.Error
	s.do(func(*owner) { err = a.abandonUnload(second, context.DeadlineExceeded) })
	if err.Reason() != errs.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Message(), "1 requests") {
		t.Errorf("the error is %v", err)
	}
	s.state("a", ready)
	s.release(s.lease(waiting), nil)
	if !a.pinned || l.Cause() != nil || s.launches["a"] != 1 {
		t.Errorf("pinned %v, cause %v, %d launches", a.pinned, l.Cause(), s.launches["a"])
	}
	// An unload that is not abandoned ends the model.
	s.do(func(*owner) { a.unload(first) })
	s.release(l, nil)
	s.reaped("a", nil)
	if freed := <-first; freed != 80*mb || a.pinned {
		t.Errorf("freed %d, pinned %v", freed, a.pinned)
	}
}

func TestUnloadIsBoundedByItsCaller(t *testing.T) {
	l := &fakeLauncher{}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	lease, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := m.Unload(ctx, "a"); errs.ReasonOf(err) != errs.DeadlineExceeded {
		t.Fatalf("unload: %v", err)
	}
	next, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	next.Release(nil)
	lease.Release(nil)
}

// The priority of a request that is refused does not count for those behind it.
func TestNoHandoverForARefusedRequest(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, HandoverAfter: 5 * time.Second},
		spec("a", 80*mb, normal, idleAfter(time.Minute)), spec("b", 80*mb, low))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	waits := s.request("b")
	refused := s.request("b", withPriority(high), s.within(3*time.Second))
	s.waits(refused)
	s.advance(5 * time.Second)
	s.reason(refused, errs.MemoryBusy)
	s.waits(waits)
	s.state("a", ready)
	s.release(l, nil)
	s.advance(time.Minute)
	s.state("a", draining)
}
