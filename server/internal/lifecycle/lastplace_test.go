package lifecycle

import (
	"strings"
	"testing"
	"time"
)

// A caller that fills a model with long requests leaves the last place to another one
// that uses the model too, and gets it once that one does not.
func TestTheLastPlaceIsKeptForOtherCallers(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("tts", 10*mb, normal, concurrency(3)))
	s.serve("tts")
	s.work(placeKept)
	greedy := func(name string) *waiter { return s.request(name, from("greedy"), withPriority(critical)) }
	for range 3 { // nobody else uses the model
		defer s.release(s.lease(greedy("tts")), nil)
	}
	other := s.request("tts", from("a"))
	waiting := greedy("tts")
	s.waits(other)
	s.release(firstLease(s, "greedy"), nil)
	s.release(s.lease(other), nil)
	s.waits(waiting) // the place of the other one
	if why := s.waitsFor(waiting); !strings.Contains(why, "is kept for others") {
		t.Errorf("it waits because %s", why)
	}
	for range 20 {
		s.work(time.Second)
		s.release(s.lease(s.request("tts", from("a"))), nil)
	}
	s.work(59 * time.Second)
	s.waits(waiting)
	s.work(time.Second)
	s.lease(waiting)
}

// firstLease returns a lease of a caller.
func firstLease(s *sim, caller string) *Lease {
	for _, l := range s.proc("tts").leasesInOrder() {
		if l.caller == caller {
			return l
		}
	}
	s.t.Fatalf("%s has no lease", caller)
	return nil
}

// The kept place is not that of a low priority whose turn it is either.
func TestATurnDoesNotTakeTheKeptPlace(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("tts", 10*mb, normal, concurrency(2)))
	s.serve("tts")
	s.release(s.lease(s.request("tts", from("a"))), nil)
	for range turnOf {
		s.release(s.lease(s.request("tts", from("greedy"))), nil)
	}
	held := s.lease(s.request("tts", from("greedy")))
	lowly := s.request("tts", from("greedy"), withPriority(low))
	s.waits(lowly)
	s.release(s.lease(s.request("tts", from("a"))), nil)
	s.waits(lowly)
	s.release(held, nil)
	s.lease(lowly)
}

// During a shutdown nobody comes for the kept place: the queue is served.
func TestThePlaceIsNotKeptAtShutdown(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("tts", 10*mb, normal, concurrency(2)))
	s.serve("tts")
	s.release(s.lease(s.request("tts", from("a"))), nil)
	s.lease(s.request("tts", from("greedy")))
	waiting := s.request("tts", from("greedy"))
	s.waits(waiting)
	s.do(func(o *owner) { o.beginShutdown(make(chan struct{})) })
	s.lease(waiting)
}

// A request that waits behind a kept place gets that of a client that is gone.
func TestAbsentClientsLoseTheirLeasesBesideAKeptPlace(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("stt", 10*mb, normal, concurrency(2)))
	s.serve("stt")
	s.release(s.lease(s.request("stt", from("a"))), nil)
	gone := s.lease(s.request("stt", from("greedy")))
	s.do(func(*owner) { gone.pause() })
	s.do(func(*owner) { gone.setWaiting(ForClient, true) })
	waiting := s.request("stt", from("greedy"))
	s.lost(gone, true)
	s.lease(waiting)
}

// The owner plans at each event, also while one caller has filled a queue.
func BenchmarkPlanWithOneGreedyCaller(b *testing.B) {
	now := time.Unix(1000, 0)
	base := snapshot{now: now, limits: limits{budget: 100, cores: 4, cpuQuantum: time.Second, agingStep: time.Second, maxWait: time.Hour, silence: time.Hour, handoverAfter: time.Hour}}
	p := &processView{phase: phaseReady, reserved: 10, leases: []leaseView{{id: 1, caller: "g", priority: normal, granted: now}}}
	m := modelView{name: "a", maxConcurrency: 2, maxQueue: 600, threads: 0, proc: p, priority: normal, progressTimeout: time.Hour}
	m.recent.got("x", now)
	m.recent.got("g", now)
	for i := range 512 {
		m.queue = append(m.queue, waiterView{seq: uint64(i + 1), kind: waitLease, caller: "g", claimant: "g", priority: normal, effective: normal, amongCallers: normal, arrival: now, since: now, runnable: now})
	}
	base.lastSeq = 600
	for b.Loop() {
		s := base
		s.models = []modelView{m}
		plan(&s)
		s.nextWake()
	}
}
