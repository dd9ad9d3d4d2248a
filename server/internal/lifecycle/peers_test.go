package lifecycle

import (
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func from(peer string) func(*waiter) { return func(w *waiter) { w.peer = peer } }

// full returns a model at work whose queue is full of one peer's requests.
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

// A full queue refuses the last request of the peer that has the most, not those of
// others.
func TestAFullQueueHasRoomForOtherPeers(t *testing.T) {
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

// Peers get leases in turn, however many requests one of them has.
func TestPeersGetLeasesInTurn(t *testing.T) {
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
func TestPeersKeepTheOrderOfPriorities(t *testing.T) {
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
func TestPeersAreNotRefusedForTheQueueOfOthers(t *testing.T) {
	s, l, _ := full(t)
	s.advance(10 * time.Second)
	s.workers[l.proc].work++
	s.release(l, nil) // a lease takes 10 s
	s.waits(s.request("a", from("few"), s.within(25*time.Second)))
	s.reason(s.request("a", from("many"), s.within(25*time.Second)), errs.DeadlineExceeded)
}
