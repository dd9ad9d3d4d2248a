package inflight

import "testing"

// No peer alone can use up all, whatever it takes in which pieces.
func TestPeersGetShares(t *testing.T) {
	s := NewShares(1000)
	take := func(peer string, n int64) (taken int64) {
		for s.Take(peer, n) {
			taken += n
		}
		return taken
	}
	if got := take("a", 1); got != 750 {
		t.Errorf("alone: %d", got)
	}
	if got := take("b", 10); got != 180 {
		t.Errorf("the second: %d", got)
	}
	if got := take("c", 1); got != 52 {
		t.Errorf("the third: %d", got)
	}
	if s.Take("a", 1) {
		t.Error("the first gets more")
	}
	s.GiveBack("a", 750)
	if got := take("b", 10); got == 0 {
		t.Error("nothing of what the first gave back is for the second")
	}
	if got := take("", 1); got != 1000-s.held["b"]-52 || s.Used() != 1000 {
		t.Errorf("without an address: %d", got)
	}
	for peer, n := range s.held {
		s.GiveBack(peer, n)
	}
	if len(s.held) != 0 || s.Used() != 0 {
		t.Errorf("%v, %d are used", s.held, s.Used())
	}
}
