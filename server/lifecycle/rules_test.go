package lifecycle

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func threads(n int) func(*ModelSpec)             { return func(s *ModelSpec) { s.Threads = n } }
func concurrency(n int) func(*ModelSpec)         { return func(s *ModelSpec) { s.MaxConcurrency = n } }
func queueOf(n int) func(*ModelSpec)             { return func(s *ModelSpec) { s.MaxQueue = n } }
func idleAfter(d time.Duration) func(*ModelSpec) { return func(s *ModelSpec) { s.IdleTimeout = d } }

func TestWhatCanNeverFitEvictsNobody(t *testing.T) {
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
	e := s.o.byName["a"].lastEviction
	if e.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE || e.GetRequestedBy() != "b" {
		t.Errorf("eviction %v", e)
	}
}

func TestPriorityProtectsAResident(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("top", 80*mb, critical, idleAfter(time.Minute)), spec("low", 80*mb, low))
	s.serve("top")
	// Its deadline is before top is past its idle time: waiting cannot help.
	e := s.reason(s.request("low", s.within(30*time.Second)), errs.MemoryBusy)
	if e.RetryAfter() != time.Minute {
		t.Errorf("retry after %s", e.RetryAfter())
	}
	// One that can wait gets it then.
	w := s.request("low", s.within(2*time.Minute))
	s.waits(w)
	s.advance(time.Minute)
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
	s.do(func(o *owner) { o.unload(o.byName["a"], done) })
	b := s.request("b")
	s.reaped("a", nil)
	if freed := <-done; freed != 80*mb {
		t.Errorf("freed %d", freed)
	}
	s.loaded("b")
	s.lease(b)
}

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

func TestAgingLiftsThoseWhoWait(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, AgingStep: 10 * time.Second}, spec("a", 10*mb, normal, concurrency(1)))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	patient := s.request("a", withPriority(low))
	served := 0
	for range 100 {
		vip := s.request("a", withPriority(critical))
		s.advance(time.Second)
		s.workers[l.proc].work++
		s.release(l, nil)
		if patient.resolved {
			s.lease(patient)
			break
		}
		l = s.lease(vip)
		served++
	}
	if !patient.resolved || served < 29 {
		t.Errorf("low priority was served after %d critical ones (resolved %v), want about 30", served, patient.resolved)
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
		t.Error("no advice when to retry")
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
	// Five seconds are left of the load.
	joins := s.request("a", s.within(8*time.Second))
	s.waits(joins)
	s.reason(s.request("a", s.within(4*time.Second)), errs.DeadlineExceeded)
}

func TestOneSlowLoadDoesNotShutAModel(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	s.store.put(record{Key: "model:a", LoadSeconds: []float64{60}})
	s.reason(s.request("a", s.within(10*time.Second)), errs.DeadlineExceeded)
	s.advance(doomedProbe)
	w := s.request("a", s.within(10*time.Second))
	s.waits(w)
	s.advance(time.Second)
	s.loaded("a")
	s.lease(w)
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
	if got := s.o.threadsUsed(); got != 2 {
		t.Errorf("%d threads at work", got)
	}
	// A model that computes elsewhere needs no core.
	c := s.request("cloud")
	s.loaded("cloud")
	s.lease(c)
	// Within the quantum others may join the model at work, afterwards not.
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
	// No further work of low priority joins ahead of it, quantum or not.
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
	s.do(func(o *owner) { o.pauseLease(stt) })
	chat := s.lease(w)
	// No progress is expected of a paused one.
	for range 30 {
		s.workers[chat.proc].work++
		s.advance(20 * time.Second)
	}
	s.state("stt", ready)
	r := &waiter{kind: waitResume, lease: stt, arrival: s.clock.Now(), result: make(chan admission, 1)}
	s.do(func(o *owner) { o.resume(r) })
	s.waits(r)
	s.release(chat, nil)
	if a := <-r.result; a.err != nil {
		t.Fatal(a.err)
	}
	if s.o.threadsUsed() != 2 {
		t.Errorf("%d threads", s.o.threadsUsed())
	}
	s.release(stt, nil)
	if s.o.threadsUsed() != 0 {
		t.Errorf("%d threads after the end", s.o.threadsUsed())
	}
}

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
	if e := s.o.byName["a"].lastEviction; e.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_HUNG {
		t.Errorf("evicted because of %v", e)
	}
}

func TestShortDeadlinesDoNotHideAHang(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	s.serve("a")
	for i := 0; ; i++ {
		if i == 20 {
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

func TestAHungLoadFails(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	w := s.request("a")
	s.advance(30 * time.Second)
	s.waits(w) // until the process is reaped
	s.reaped("a", nil)
	s.reason(w, errs.EngineCrashed)
	s.state("a", failed)
}

func TestACrashIsToldAndTheNextRequestLoadsAfresh(t *testing.T) {
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

func TestACrashLoopCoolsDown(t *testing.T) {
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
			t.Errorf("cool-down %s %v %q, want %s", e.RetryAfter(), e.Metadata(), e.Message(), wait)
		}
		s.advance(wait)
		wait *= 2
	}
	s.serve("a") // a good end breaks the loop
	if m := s.o.byName["a"]; m.failures != 0 || m.looping {
		t.Errorf("%d failures remembered", m.failures)
	}
}

func TestFailedLoadsCoolDownTwiceAsLong(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, CooldownBase: 2 * time.Second, CooldownMax: 5 * time.Second}, spec("a", 80*mb, normal))
	for _, cool := range []time.Duration{2 * time.Second, 4 * time.Second, 5 * time.Second} {
		w := s.request("a")
		p := s.proc("a")
		s.do(func(o *owner) { o.loadFailed(p, errs.New(errs.ModelFileInvalid, "not a GGUF file")) })
		s.waits(w)
		s.reaped("a", nil)
		s.reason(w, errs.ModelFileInvalid)
		s.state("a", failed)
		e := s.reason(s.request("a"), errs.LoadCooldown)
		if e.RetryAfter() != cool {
			t.Errorf("cool-down %s, want %s", e.RetryAfter(), cool)
		}
		s.advance(cool)
	}
	s.serve("a")
	s.state("a", ready)
}

func TestARepairedFileWorksAtOnce(t *testing.T) {
	key := "broken"
	var missing error
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal, func(m *ModelSpec) {
		m.Fingerprint = func() string { return key }
		m.Estimate = func() (int64, error) { return 50 * mb, missing }
	}))
	w := s.request("a")
	p := s.proc("a")
	s.do(func(o *owner) { o.loadFailed(p, errs.New(errs.ModelFileInvalid, "truncated")) })
	s.reaped("a", nil)
	s.reason(w, errs.ModelFileInvalid)
	s.reason(s.request("a"), errs.LoadCooldown)
	key = "repaired"
	s.serve("a")

	done := make(chan int64, 1)
	s.do(func(o *owner) { o.unload(o.byName["a"], done) })
	s.reaped("a", nil)
	missing = errs.New(errs.ModelFileMissing, "no such file")
	s.reason(s.request("a"), errs.ModelFileMissing)
	s.state("a", failed)
	s.reason(s.request("a"), errs.ModelFileMissing) // still so, and the check is cheap
	missing = nil
	s.serve("a")
}

func TestHandoverIsTakenBackWhenNotNeeded(t *testing.T) {
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
		t.Error("the model was not simply kept")
	}
}

func TestALeakyModelIsGivenAnotherTry(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb, LearnedTrust: time.Hour}, spec("a", 20*mb, normal))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	s.measured("a", 130*mb)
	s.reaped("a", nil)
	s.release(l, l.Cause())
	s.reason(s.request("a"), errs.ModelExceedsBudget)
	s.advance(time.Hour)
	s.serve("a")
}

func TestAnUnderpredictedLoadTriesAgainWithMore(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 20*mb, normal), spec("b", 60*mb, normal))
	wb := s.request("b")
	s.loaded("b")
	lb := s.lease(wb)
	w := s.request("a")
	p := s.proc("a")
	s.do(func(o *owner) { o.launched(p, s.workers[p]) })
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

func TestNobodyWaitsForEver(t *testing.T) {
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
	// The small ones come and go, one each 400 ms, so that at any time one of
	// them is new.
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
			t.Fatal("the large model waits for ever")
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

func TestACrashWhileDrainingIsToldToo(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	done := make(chan int64, 1)
	s.do(func(o *owner) { o.unload(o.byName["a"], done) })
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
