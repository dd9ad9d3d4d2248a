package lifecycle

import (
	"slices"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// newCores is a server of two cores with models that need both, loaded and idle.
func newCores(t *testing.T, specs ...ModelSpec) *sim {
	t.Helper()
	if len(specs) == 0 {
		specs = []ModelSpec{spec("stt", 10*mb, normal, threads(2)), spec("chat", 10*mb, normal, threads(2))}
	}
	s := newSim(t, Options{BudgetBytes: 100 * mb, CPUThreads: 2}, specs...)
	for _, m := range specs {
		s.serve(m.Name)
	}
	s.events = nil
	return s
}

// work lets time pass in steps in which every worker that runs makes progress.
func (s *sim) work(d time.Duration) {
	s.t.Helper()
	const step = 50 * time.Millisecond
	for ; d > 0; d -= step {
		for p, w := range s.workers {
			if !w.suspended && p.working > 0 {
				w.work++
			}
		}
		s.advance(min(d, step))
		s.checkSuspended()
	}
}

// checkSuspended checks that a worker is suspended exactly if the owner says so,
// and then has requests that wait to run again.
func (s *sim) checkSuspended() {
	s.t.Helper()
	for _, m := range s.o.models {
		p := m.proc
		if p == nil || p.worker == nil {
			continue
		}
		waits := slices.ContainsFunc(m.queue, func(w *waiter) bool { return w.kind == waitResume })
		if p.suspended != s.workers[p].suspended || p.suspended && (p.working > 0 || !waits) {
			s.t.Fatalf("%s: suspended: %t, its worker: %t; %d leases at work, some wait: %t", m.spec.Name, p.suspended, s.workers[p].suspended, p.working, waits)
		}
	}
}

// runs expects that a model's worker runs, or that it is suspended.
func (s *sim) runs(name string, want bool) {
	s.t.Helper()
	if s.workers[s.proc(name)].suspended == want {
		s.t.Fatalf("%s runs: %t; events %v", name, !want, s.events)
	}
}

func TestShortWorkDoesNotWaitForTheEndOfLongWork(t *testing.T) {
	s := newCores(t)
	stt := s.lease(s.request("stt"))
	s.work(time.Second)
	w := s.request("chat")
	s.work(900 * time.Millisecond)
	s.waits(w) // the one at work came first, and has not been at work for long
	s.work(100 * time.Millisecond)
	chat := s.lease(w)
	s.runs("stt", false)
	s.release(chat, nil)
	s.runs("stt", true)
	s.work(time.Minute)
	chat = s.lease(s.request("chat")) // it has been at work for long: at once
	s.runs("stt", false)
	s.work(300 * time.Millisecond)
	s.release(chat, nil)
	s.runs("stt", true)
	s.release(stt, nil)
	if stt.workedFor(s.clock.Now()) != 62*time.Second {
		t.Errorf("it was at work for %s", stt.workedFor(s.clock.Now()))
	}
}

func TestHigherPriorityTakesTheCoresAtOnce(t *testing.T) {
	s := newCores(t)
	stt := s.lease(s.request("stt"))
	s.work(100 * time.Millisecond)
	chat := s.lease(s.request("chat", withPriority(high)))
	s.runs("stt", false)
	low := s.request("stt", withPriority(low))
	s.work(100 * time.Millisecond)
	s.waits(low)
	// The next one of high priority joins; the suspended one waits on.
	next := s.lease(s.request("chat", withPriority(high)))
	s.release(chat, nil)
	s.runs("stt", false)
	s.release(next, nil)
	s.runs("stt", true)
	s.release(s.lease(low), nil)
	s.release(stt, nil)
}

// Steady short requests leave long work of a lower or the same priority its turns,
// and no more.
func TestLongWorkHasItsTurns(t *testing.T) {
	for name, priority := range map[string]gatewayv1.Priority{"the same priority": normal, "critical": critical} {
		t.Run(name, func(t *testing.T) {
			s := newCores(t, spec("stt", 10*mb, normal, threads(2)), spec("chat", 10*mb, normal, threads(2), concurrency(1)))
			stt := s.lease(s.request("stt"))
			s.work(10 * time.Second)
			before, answers := stt.workedFor(s.clock.Now()), 0
			for start := s.clock.Now(); s.clock.Since(start) < time.Minute; {
				w := s.request("chat", withPriority(priority))
				for !w.resolved {
					s.work(50 * time.Millisecond)
				}
				s.work(250 * time.Millisecond)
				s.release(s.lease(w), nil)
				answers++
				s.work(time.Millisecond) // it has the cores again, but that is no turn
			}
			// Turns of 0.5 s, after seven answers of 0.25 s each.
			worked := stt.workedFor(s.clock.Now()) - before
			t.Logf("%d answers; the long request was at work for %s of a minute", answers, worked)
			if answers < 180 || worked < 8*time.Second || worked > 14*time.Second {
				t.Errorf("%d answers; the long request was at work for %s of a minute", answers, worked)
			}
		})
	}
}

// A low priority has its turns of the cores beside one long request, too.
func TestLowPriorityHasItsTurnsBesideOneLongRequest(t *testing.T) {
	s := newCores(t)
	s.lease(s.request("chat", withPriority(critical)))
	w := s.request("stt", withPriority(low))
	s.work(3950 * time.Millisecond) // seven turns of half a second after the one that had begun
	s.waits(w)
	s.work(50 * time.Millisecond)
	stt := s.lease(w)
	s.runs("chat", false)
	s.work(500 * time.Millisecond)
	s.runs("chat", true)
	s.runs("stt", false)
	s.release(stt, nil)
	s.runs("chat", true)
}

func TestLongRequestsAlternate(t *testing.T) {
	s := newCores(t)
	a := s.lease(s.request("stt"))
	s.work(2 * time.Minute)
	w := s.request("chat")
	before := a.workedFor(s.clock.Now())
	s.work(10 * time.Minute)
	b := s.lease(w)
	now := s.clock.Now()
	first, second := a.workedFor(now)-before, b.workedFor(now)
	if first+second != 10*time.Minute {
		t.Errorf("at work for %s and %s of ten minutes", first, second)
	}
	if second < 5*time.Minute || first < 4*time.Minute {
		t.Errorf("at work for %s and %s of ten minutes, want about the same", first, second)
	}
}

// A worker that hangs is found although it never runs for long, and one that makes
// progress is not ended for the time in which it is suspended.
func TestLivenessOfSuspendedWorkers(t *testing.T) {
	for name, hangs := range map[string]bool{"hangs": true, "works": false} {
		t.Run(name, func(t *testing.T) {
			s := newCores(t)
			stt, chat := s.request("stt"), s.request("chat")
			s.lease(stt)
			for range 200 {
				for p, w := range s.workers {
					// One unit in 10 s: less than in one turn, more than in the timeout of 30 s.
					slow := p.model.spec.Name == "stt" && p.working > 0 && s.clock.Now().Unix()%10 == 0
					if p.model.spec.Name == "chat" || slow && !hangs {
						w.work++
					}
				}
				s.advance(500 * time.Millisecond)
				if s.proc("stt").phase == phaseStopping {
					break
				}
			}
			s.lease(chat)
			if ended := s.proc("stt").phase == phaseStopping; ended != hangs {
				t.Errorf("the worker was ended: %t; events %v", ended, s.events)
			}
		})
	}
}

// A suspended worker runs again once none of its requests wants to work: to learn
// that they were cancelled, and to finish what a silent client has sent.
func TestSuspendedWorkerWithoutWorkRuns(t *testing.T) {
	suspended := func(t *testing.T) (s *sim, stt, chat *Lease) {
		s = newCores(t)
		stt = s.lease(s.request("stt"))
		s.work(5 * time.Second)
		chat = s.lease(s.request("chat"))
		s.runs("stt", false)
		return s, stt, chat
	}
	t.Run("cancelled", func(t *testing.T) {
		s, stt, _ := suspended(t)
		s.release(stt, errs.New(errs.Cancelled, "the caller left"))
		s.runs("stt", true)
	})
	t.Run("silent", func(t *testing.T) {
		s, stt, chat := suspended(t)
		s.do(func(*owner) { stt.pause() })
		s.runs("stt", true)
		r := &waiter{kind: waitResume, lease: stt, arrival: s.clock.Now(), result: make(chan admission, 1)}
		s.do(func(o *owner) { o.resume(r) })
		s.waits(r)
		s.release(chat, nil)
		s.lease(r)
		s.work(time.Second)
	})
	t.Run("its model is unloaded", func(t *testing.T) {
		s, stt, chat := suspended(t)
		s.do(func(o *owner) { o.byName["stt"].unload(make(chan int64, 1)) })
		s.state("stt", draining)
		s.release(chat, nil) // its request may finish
		s.runs("stt", true)
		s.release(stt, nil)
		s.reaped("stt", nil)
		s.state("stt", unloaded)
	})
	t.Run("it crashes", func(t *testing.T) {
		s, stt, _ := suspended(t)
		s.reaped("stt", errs.New(errs.EngineCrashed, "signal 11"))
		if errs.ReasonOf(stt.Cause()) != errs.EngineCrashed {
			t.Errorf("its request ended with %v", stt.Cause())
		}
	})
}

// A new request of a suspended model that comes before those at work brings all of
// its requests back.
func TestRequestForASuspendedModel(t *testing.T) {
	s := newCores(t)
	a, b := s.lease(s.request("stt")), s.lease(s.request("stt"))
	s.work(5 * time.Second)
	chat := s.lease(s.request("chat"))
	s.work(50 * time.Millisecond)
	c := s.lease(s.request("stt", withPriority(high)))
	s.runs("stt", true)
	s.runs("chat", false)
	if n := s.proc("stt").working; n != 3 {
		t.Errorf("%d requests at work, want 3", n)
	}
	for _, l := range []*Lease{a, b, c, chat} {
		s.release(l, nil)
	}
	s.work(time.Second)
}

func TestFallen(t *testing.T) {
	for worked, want := range map[time.Duration]gatewayv1.Priority{
		0: high, 2*time.Second - 1: high, 2 * time.Second: normal, 10 * time.Second: low, time.Minute: 0, time.Hour: 0,
	} {
		if got := fallen(high, worked); got != want {
			t.Errorf("HIGH after %s is %d, want %d", worked, got, want)
		}
	}
	if got := fallen(low, time.Hour); got != 0 {
		t.Errorf("LOW after an hour is %d", got)
	}
}
