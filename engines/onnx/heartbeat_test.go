package onnx

import (
	"sync/atomic"
	"testing"
	"time"
)

type counter struct{ n atomic.Int64 }

func (c *counter) Add(n int) { c.n.Add(int64(n)) }

// TestHeartbeatCountsComputation computes until it is counted: only a broken
// heartbeat runs into the bound.
func TestHeartbeatCountsComputation(t *testing.T) {
	var work counter
	stop := Heartbeat(&work, time.Hour)
	deadline := time.Now().Add(time.Minute)
	x := 1.0
	for work.n.Load() == 0 && time.Now().Before(deadline) {
		for range 100_000 {
			x = x*1.0000001 + 1
		}
	}
	stop()
	if work.n.Load() == 0 {
		t.Errorf("nothing was counted (%v)", x)
	}
}

func TestPulse(t *testing.T) {
	start := time.Unix(0, 0)
	for name, c := range map[string]struct {
		cpu  time.Duration
		want bool
	}{
		"blocked":            {0, false},
		"a timer now and so": {time.Millisecond, false},
		"a crowded machine":  {50 * time.Millisecond, true},
		"two cores":          {2 * time.Second, true},
	} {
		p := newPulse(start, time.Hour, time.Hour)
		if got := p.computed(start.Add(time.Second), time.Hour+c.cpu); got != c.want {
			t.Errorf("%s: computed is %v", name, got)
		}
	}
	p := newPulse(start, 0, time.Hour)
	if !p.computed(start.Add(time.Second), time.Second) || p.computed(start.Add(2*time.Second), time.Second) {
		t.Error("what was computed before counts again")
	}
}

// TestPulseIsBounded: a run that computes for ever, or is blocked while another
// one computes, counts for as long as its limit and no longer; seconds in which
// nothing is computed do not use it up.
func TestPulseIsBounded(t *testing.T) {
	now, cpu := time.Unix(0, 0), time.Duration(0)
	p := newPulse(now, cpu, 10*time.Second)
	counted := 0
	for second := range 1000 {
		now = now.Add(time.Second)
		if second%2 == 0 {
			cpu += time.Second
		}
		if p.computed(now, cpu) {
			counted++
		}
	}
	if counted != 10 {
		t.Errorf("of a limit of 10 s, %d were counted", counted)
	}
}
