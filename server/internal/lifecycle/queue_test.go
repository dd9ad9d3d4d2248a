package lifecycle

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func TestQueueOrder(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(1)))
	first := s.request("a")
	late := s.request("a", s.within(time.Hour))
	soon := s.request("a", s.within(time.Minute))
	never := s.request("a")
	vip := s.request("a", withPriority(critical))
	s.loaded("a")
	l := s.lease(vip)
	for _, w := range []*waiter{soon, late, first, never} {
		s.release(l, nil)
		l = s.lease(w)
	}
}

func TestAgingRaisesWaitingRequests(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, AgingStep: 10 * time.Second}, spec("a", 10*mb, normal, concurrency(1)))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	waiting := s.request("a", withPriority(low))
	served := 0
	for range 100 {
		vip := s.request("a", withPriority(critical))
		s.advance(7 * time.Second)
		s.workers[l.proc].work++
		s.release(l, nil)
		if waiting.resolved {
			s.lease(waiting)
			break
		}
		l = s.lease(vip)
		served++
	}
	if !waiting.resolved || served != 4 {
		t.Errorf("low priority was served after %d critical ones (resolved %v), want 4: after 30 s", served, waiting.resolved)
	}
}

func TestQueueIsBounded(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(1), queueOf(2)))
	w := s.request("a")
	s.loaded("a")
	s.lease(w)
	q1, q2 := s.request("a"), s.request("a", withPriority(low))
	e := s.reason(s.request("a", withPriority(low)), errs.QueueFull)
	if e.RetryAfter() <= 0 {
		t.Error("no time to retry is given")
	}
	// A higher priority displaces the lowest that came last.
	vip := s.request("a", withPriority(high))
	s.reason(q2, errs.QueueFull)
	s.waits(q1)
	s.waits(vip)
}

func TestDeadlineThatCannotBeMet(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	s.store.put(record{Key: "model:a", LoadSeconds: []float64{20, 20, 20}})
	e := s.reason(s.request("a", s.within(5*time.Second)), errs.DeadlineExceeded)
	if s.launches["a"] != 0 || !strings.Contains(e.Message(), "20s to load") {
		t.Errorf("launches %d, message %q", s.launches["a"], e.Message())
	}
	w := s.request("a", s.within(25*time.Second))
	s.waits(w)
	s.advance(15 * time.Second)
	// The load needs another five seconds.
	joins := s.request("a", s.within(8*time.Second))
	s.waits(joins)
	s.reason(s.request("a", s.within(4*time.Second)), errs.DeadlineExceeded)
}

func TestOneSlowLoadDoesNotCloseAModel(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	s.store.put(record{Key: "model:a", LoadSeconds: []float64{60}})
	s.reason(s.request("a", s.within(10*time.Second)), errs.DeadlineExceeded)
	s.advance(probeInterval)
	w := s.request("a", s.within(10*time.Second))
	s.waits(w)
	s.advance(time.Second)
	s.loaded("a")
	s.lease(w)
}

// A load that no request waits for is ended for a model that needs its memory.
func TestALoadWithoutCallersIsEvicted(t *testing.T) {
	late := func(s *sim, name string) {
		w := s.request(name, s.within(5*time.Second))
		p := s.proc(name)
		s.do(func(*owner) { p.launched(s.workers[p]) })
		s.advance(5 * time.Second)
		s.leave(w, context.DeadlineExceeded)
		s.state(name, loading)
	}
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal), spec("b", 80*mb, normal))
	late(s, "a")
	b := s.request("b")
	if !s.workers[s.proc("a")].stopped {
		t.Fatal("the load was not ended")
	}
	s.reaped("a", nil)
	s.loaded("b")
	s.lease(b)
	if f := s.o.byName["a"].failure; f != nil {
		t.Errorf("it counts as a failure: %v", f.err)
	}

	// But not while a request waits for it, and not for a lower priority.
	s = newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal), spec("b", 80*mb, low))
	late(s, "a")
	b = s.request("b")
	s.waits(b)
	if s.workers[s.proc("a")].stopped {
		t.Error("it was ended for a lower priority")
	}
	s.leave(b, context.Canceled)
	s.waits(s.request("a"))
	s.request("b", withPriority(high))
	if s.workers[s.proc("a")].stopped {
		t.Error("it was ended although a request waits for it")
	}
}

// A model that loads for longer than its callers can wait is ready for later
// ones, unless the callers have left by their own choice.
func TestALoadOutlivesTheDeadlinesOfItsRequests(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	late, gone := s.request("a", s.within(5*time.Second)), s.request("a")
	s.advance(5 * time.Second)
	s.leave(late, context.DeadlineExceeded)
	s.leave(gone, context.Canceled)
	s.state("a", loading)
	s.advance(5 * time.Second)
	s.loaded("a")
	s.state("a", ready)
	s.lease(s.request("a", s.within(time.Second)))
	if s.launches["a"] != 1 {
		t.Errorf("%d launches", s.launches["a"])
	}
}

func TestCoresAreSharedByTurns(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, CPUThreads: 2, CPUQuantum: time.Second},
		spec("a", 10*mb, normal, threads(2)), spec("b", 10*mb, normal, threads(8)), spec("cloud", 1*mb, low))
	a1 := s.request("a")
	s.loaded("a")
	la := s.lease(a1)
	b := s.request("b")
	s.loaded("b")
	s.waits(b)
	if got := s.o.snapshot().coresUsed(); got != 2 {
		t.Errorf("%d threads at work", got)
	}
	// A model that runs elsewhere needs no core.
	c := s.request("cloud")
	s.loaded("cloud")
	s.lease(c)
	// Requests may join the model at work within the quantum, not after it.
	la2 := s.lease(s.request("a"))
	s.advance(time.Second)
	a3 := s.request("a")
	s.waits(a3)
	s.release(la, nil)
	s.waits(b)
	s.release(la2, nil)
	lb := s.lease(b)
	s.waits(a3)
	s.release(lb, nil)
	s.lease(a3)
}

func TestHigherPriorityGetsTheCoresFirst(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, CPUThreads: 2},
		spec("a", 10*mb, low, threads(2)), spec("b", 10*mb, critical, threads(2)))
	s.serve("b")
	a := s.request("a")
	s.loaded("a")
	la := s.lease(a)
	b := s.request("b")
	s.waits(b)
	// No request of low priority starts before it, within the quantum or not.
	a2 := s.request("a")
	s.waits(a2)
	s.release(la, nil)
	s.lease(b)
	s.waits(a2)
}

func TestAPausedLeaseHoldsNoCores(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, CPUThreads: 2},
		spec("stt", 10*mb, normal, threads(2)), spec("chat", 10*mb, normal, threads(2)))
	w := s.request("stt")
	s.loaded("stt")
	stt := s.lease(w)
	w = s.request("chat")
	s.loaded("chat")
	s.waits(w)
	s.do(func(*owner) { stt.pause() })
	chat := s.lease(w)
	// No progress is expected of a paused one.
	for range 30 {
		s.workers[chat.proc].work++
		s.advance(20 * time.Second)
	}
	s.state("stt", ready)
	w = s.request("chat") // the first one has been at work for so long that it would yield
	s.release(chat, nil)
	chat = s.lease(w)
	r := &waiter{kind: waitResume, lease: stt, arrival: s.clock.Now(), result: make(chan admission, 1)}
	s.do(func(o *owner) { o.resume(r) })
	s.waits(r)
	s.release(chat, nil)
	if a := <-r.result; a.err != nil {
		t.Fatal(a.err)
	}
	if s.o.snapshot().coresUsed() != 2 {
		t.Errorf("%d threads", s.o.snapshot().coresUsed())
	}
	s.release(stt, nil)
	if s.o.snapshot().coresUsed() != 0 {
		t.Errorf("%d threads after the end", s.o.snapshot().coresUsed())
	}
}

func TestPausesOfALeaseAddUp(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, CPUThreads: 2},
		spec("stt", 10*mb, normal, threads(2)), spec("chat", 10*mb, normal, threads(2)))
	w := s.request("stt")
	s.loaded("stt")
	stt := s.lease(w)
	w = s.request("chat")
	s.loaded("chat")
	pause := func() { s.do(func(*owner) { stt.pause() }) }
	resume := func() *waiter {
		r := &waiter{kind: waitResume, lease: stt, arrival: s.clock.Now(), result: make(chan admission, 1)}
		s.do(func(o *owner) { o.resume(r) })
		return r
	}
	pause()
	chat := s.lease(w)
	pause()
	s.lease(resume()) // one of two: needs no cores
	if s.o.snapshot().coresUsed() != 2 || stt.pauses != 1 {
		t.Fatalf("%d threads, %d pauses", s.o.snapshot().coresUsed(), stt.pauses)
	}
	last := resume()
	s.waits(last)
	pause() // the resume need not wait any more
	s.lease(last)
	last = resume()
	extra := resume() // more than there are pauses
	s.release(chat, nil)
	s.lease(last)
	s.lease(extra)
	s.lease(resume())
	if p := stt.proc; p.working != 1 || stt.pauses != 0 {
		t.Fatalf("%d at work, %d pauses", p.working, stt.pauses)
	}
	// The release of a lease ends the wait to resume it.
	w = s.request("chat")
	pause()
	chat = s.lease(w)
	last = resume()
	s.waits(last)
	s.release(stt, nil)
	s.lease(last)
	s.release(chat, nil)
	if stt.proc.working != 0 || s.o.snapshot().coresUsed() != 0 {
		t.Errorf("%d at work, %d threads", stt.proc.working, s.o.snapshot().coresUsed())
	}
}
