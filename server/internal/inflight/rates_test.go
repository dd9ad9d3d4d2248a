package inflight

import (
	"fmt"
	"testing"
	"time"
)

func newTestRates(rate int) (*Rates, *time.Time) {
	now := time.Unix(1, 0)
	r := NewRates(rate)
	r.now = func() time.Time { return now }
	return r, &now
}

// All connections of a peer have one rate, and other peers have theirs.
func TestRatesAreOfPeers(t *testing.T) {
	r, now := newTestRates(100)
	first, second, idle := r.Throttle("a"), r.Throttle("a"), r.Throttle("a")
	for range 100 {
		first.Count(1)
		second.Count(1)
	}
	if wait := first.Wait(); wait != 0 {
		t.Errorf("after what may come at once: %s", wait)
	}
	second.Count(50)
	for name, c := range map[string]struct {
		throttle *Throttle
		want     time.Duration
	}{
		"the second":          {second, 500 * time.Millisecond},
		"the first":           {first, 0}, // it was not beyond the rate when it was asked
		"one without events":  {idle, 0},
		"a new one":           {r.Throttle("a"), 500 * time.Millisecond},
		"one of another peer": {r.Throttle("b"), 0},
	} {
		if wait := c.throttle.Wait(); wait != c.want {
			t.Errorf("%s waits %s, want %s", name, wait, c.want)
		}
	}
	*now = now.Add(time.Second)
	if wait := second.Wait(); wait != 0 {
		t.Errorf("a second later: %s", wait)
	}
}

// A debt has a bound, and peers that keep their rate take no memory.
func TestRatesAreBounded(t *testing.T) {
	r, now := newTestRates(100)
	r.Count("a", 1<<20)
	if wait := r.Wait("a"); wait != maxDebt*time.Second {
		t.Errorf("%s", wait)
	}
	for i := range 10_000 {
		r.Count(fmt.Sprint(i), 1)
		*now = now.Add(time.Millisecond)
	}
	if n := len(r.peers); n > 100 {
		t.Errorf("%d peers are kept", n)
	}
}
