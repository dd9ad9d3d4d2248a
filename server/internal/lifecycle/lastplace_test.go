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
