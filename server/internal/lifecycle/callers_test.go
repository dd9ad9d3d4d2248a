package lifecycle

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func from(caller string) func(*waiter) { return func(w *waiter) { w.caller = caller } }

// full returns a model at work whose queue is full of one caller's requests.
func full(t *testing.T) (s *sim, l *Lease, waiting []*waiter) {
	const places = 6
	s = newSim(t, Options{BudgetBytes: 100 * mb, AgingStep: time.Hour}, spec("a", 10*mb, normal, concurrency(1), queueOf(places)))
	w := s.request("a", from("many"))
	s.loaded("a")
	l = s.lease(w)
	for range places {
		waiting = append(waiting, s.request("a", from("many")))
	}
	return s, l, waiting
}

// A full queue refuses the last request of the caller that has the most, not those of
// others.
func TestAFullQueueHasRoomForOtherCallers(t *testing.T) {
	s, _, waiting := full(t)
	few := []*waiter{s.request("a", from("few"), withPriority(low)), s.request("a", from("few"), withPriority(low))}
	s.reason(waiting[5], errs.QueueFull)
	s.reason(waiting[4], errs.QueueFull)
	s.reason(s.request("a", from("many"), withPriority(low)), errs.QueueFull)
	for _, w := range append(few, waiting[:4]...) {
		s.waits(w)
	}
	// Three of each are left.
	third := s.request("a", from("few"))
	s.reason(waiting[3], errs.QueueFull)
	s.waits(third)
	s.reason(s.request("a", from("few"), withPriority(low)), errs.QueueFull)
}

// Callers get leases in turn, however many requests one of them has.
func TestCallersGetLeasesInTurn(t *testing.T) {
	s, l, waiting := full(t)
	few := []*waiter{s.request("a", from("few")), s.request("a", from("few"))}
	order := []*waiter{few[0], waiting[0], few[1], waiting[1], waiting[2]}
	for _, next := range order {
		s.workers[l.proc].work++
		s.release(l, nil)
		l = s.lease(next)
	}
}

// A priority comes before turns.
func TestCallersKeepTheOrderOfPriorities(t *testing.T) {
	s, l, waiting := full(t)
	few := s.request("a", from("few"), withPriority(low))
	other := s.request("a", from("other"), withPriority(high))
	for _, next := range []*waiter{other, waiting[0], waiting[1]} {
		s.release(l, nil)
		l = s.lease(next)
	}
	s.waits(few)
}

// What is known of the wait counts the turns.
func TestCallersAreNotRefusedForTheQueueOfOthers(t *testing.T) {
	s, l, _ := full(t)
	s.advance(10 * time.Second)
	s.workers[l.proc].work++
	s.release(l, nil) // a lease takes 10 s
	s.waits(s.request("a", from("few"), s.within(25*time.Second)))
	s.reason(s.request("a", from("many"), s.within(25*time.Second)), errs.DeadlineExceeded)
}

// requests posts n requests of a caller.
func (s *sim) requests(n int, name, caller string, change ...func(*waiter)) []*waiter {
	var out []*waiter
	for range n {
		out = append(out, s.request(name, append(change, from(caller))...))
	}
	return out
}

// refused counts the requests that a full queue has refused.
func (s *sim) refused(requests []*waiter) int {
	n := 0
	for _, w := range requests {
		if !w.resolved {
			continue
		}
		a := <-w.result
		if errs.ReasonOf(a.err) == errs.QueueFull {
			n++
		}
		w.result <- a
	}
	return n
}

// A caller that fills a queue loses its own places to others, up to an equal share,
// whatever the priorities, and may have the whole queue while it is alone.
func TestAFullQueueIsShared(t *testing.T) {
	for _, p := range []gatewayv1.Priority{low, normal, critical} {
		t.Run(priorityName(p), func(t *testing.T) {
			s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(1), queueOf(8)))
			flood := s.requests(8, "a", "flood", withPriority(p))
			if n := s.refused(flood); n != 0 {
				t.Fatalf("%d requests were refused to the only caller", n)
			}
			honest := s.requests(4, "a", "honest")
			flood = append(flood, s.requests(20, "a", "flood", withPriority(p))...)
			if n := s.refused(honest); n != 0 {
				t.Errorf("%d requests of the other caller were refused", n)
			}
			if n := s.refused(flood); n != 24 {
				t.Errorf("%d requests of the flood were refused, want 24", n)
			}
			honest = append(honest, s.requests(1, "a", "honest", withPriority(critical))...)
			if n := s.refused(honest); n != 1 {
				t.Errorf("%d requests were refused to a caller with more than its share, want 1", n)
			}
			third := s.requests(1, "a", "third", withPriority(low))
			if n := s.refused(third); n != 0 {
				t.Error("a third caller was refused")
			}
		})
	}
}

// A caller that sends one request after the other gets the next lease, whatever
// another one holds, has in the queue, and how long that has waited.
func TestCallersTakeTurns(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(3), queueOf(50)))
	flood := s.requests(60, "a", "flood", s.within(time.Hour))
	s.loaded("a")
	var leases []*Lease
	for _, w := range flood[:3] {
		leases = append(leases, s.lease(w))
	}
	next := 3
	for i := range 30 {
		s.advance(time.Second)
		s.workers[leases[0].proc].work++
		w := s.request("a", from("honest"))
		if i == 0 {
			s.waits(w)
			s.release(leases[0], nil)
			leases = leases[1:]
		}
		l := s.lease(w) // the last place is kept for it
		s.waits(flood[next])
		s.release(l, nil)
		s.release(leases[0], nil)
		leases = append(leases[1:], s.lease(flood[next]))
		next++
	}
}

// Two callers with more requests than the model serves get leases in turn, also if
// one of them has sent all of its requests before the other; what one cannot use is
// for the other.
func TestCallersGetEqualShares(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(2)))
	for _, c := range []struct {
		caller string
		n      int
	}{{"x", 20}, {"y", 10}, {"z", 5}} {
		s.requests(c.n, "a", c.caller)
	}
	s.loaded("a")
	p := s.proc("a")
	got := map[string]int{}
	want := func(x, y, z int) {
		t.Helper()
		if w := fmt.Sprint(map[string]int{"x": x, "y": y, "z": z}); fmt.Sprint(got) != w {
			t.Errorf("leases: %v, want %v", got, w)
		}
	}
	var held []*Lease
	for n := 1; len(p.leases) > 0; n++ {
		for _, l := range p.leasesInOrder() {
			if !slices.Contains(held, l) {
				held = append(held, l)
			}
		}
		got[held[0].caller]++
		s.release(held[0], nil)
		held = held[1:]
		switch n {
		case 15:
			want(5, 5, 5)
		case 25:
			want(10, 10, 5)
		}
	}
	want(20, 10, 5)
}

// A higher priority comes first, whoever asks; of eight leases one goes to a lower
// one, in which callers take turns too.
func TestPrioritiesComeBeforeCallers(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(1)))
	lowFlood := s.requests(20, "a", "flood", withPriority(low))
	lowHonest := s.requests(2, "a", "honest", withPriority(low))
	s.requests(40, "a", "busy", withPriority(critical))
	s.loaded("a")
	p := s.proc("a")
	var order []string
	for range 24 {
		l := p.leasesInOrder()[0]
		if l.priority == low {
			order = append(order, l.caller)
		}
		s.release(l, nil)
	}
	if got := fmt.Sprint(order); got != "[flood honest flood]" {
		t.Errorf("turns of the low priority: %v", got)
	}
	s.waits(lowFlood[2])
	s.waits(lowHonest[1])
}

// The estimate of which deadlines can be met counts the turns: a caller does not wait
// behind all that another one has sent, but behind all of its own.
func TestEstimatesCountTheTurnsOfCallers(t *testing.T) {
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(1), func(m *ModelSpec) { m.IdleTimeout = time.Hour }))
	w := s.request("a")
	s.loaded("a")
	l := s.lease(w)
	s.advance(10 * time.Second) // the mean of a lease
	s.release(l, nil)
	s.requests(50, "a", "flood")
	s.waits(s.request("a", from("honest"), s.within(20*time.Second)))
	s.waits(s.request("a", from("honest"), s.within(25*time.Second)))
	s.reason(s.request("a", from("honest"), s.within(39*time.Second)), errs.DeadlineExceeded)
}

// BenchmarkFullQueue measures the owner's work for a request and its lease while the
// queue is full of requests of other callers.
func BenchmarkFullQueue(b *testing.B) {
	s := newSim(b, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(1)))
	for i := range 257 {
		s.request("a", from(fmt.Sprint(i%16)))
	}
	s.loaded("a")
	p := s.proc("a")
	for b.Loop() {
		w := &waiter{kind: waitLease, arrival: s.clock.Now(), result: make(chan admission, 1)}
		s.o.do(func(o *owner) { o.acquire(w, "a") })
		l := p.leasesInOrder()[0]
		s.o.do(func(o *owner) { o.release(l, nil) })
	}
}

// weighted gives the caller of a request a weight.
func weighted(n int) func(*waiter) { return func(w *waiter) { w.weight = n } }

// A caller of weight three gets three times the leases of one of weight one, as far as
// that leaves a place of the model to the other, and three times the places in a full
// queue.
func TestCallersHaveWeights(t *testing.T) {
	for atOnce, want := range map[int]int{1: 20, 2: 40, 3: 27, 4: 20, 8: 20} { // leases of the light one
		t.Run(fmt.Sprint(atOnce), func(t *testing.T) {
			s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(atOnce)))
			s.requests(100, "a", "light")
			s.requests(100, "a", "heavy", weighted(3))
			s.loaded("a")
			p := s.proc("a")
			got, held := map[string]int{}, []*Lease{}
			for range 80 {
				for _, l := range p.leasesInOrder() {
					if !slices.Contains(held, l) {
						held = append(held, l)
					}
				}
				got[held[0].caller]++
				s.release(held[0], nil)
				held = held[1:]
			}
			if got["light"] < want-2 || got["light"] > want+2 {
				t.Errorf("leases: %v, want %d and %d", got, want, 80-want)
			}
		})
	}
	s := newSim(t, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal, concurrency(1), queueOf(8)))
	light, heavy := s.requests(8, "a", "light"), s.requests(20, "a", "heavy", weighted(3))
	if l, h := 8-s.refused(light), 20-s.refused(heavy); l != 2 || h != 6 {
		t.Errorf("places: %d and %d, want 2 and 6", l, h)
	}
}
