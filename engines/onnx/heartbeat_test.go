package onnx

import (
	"sync/atomic"
	"testing"
	"time"
)

type counter struct{ n atomic.Int64 }

func (c *counter) Add(n int) { c.n.Add(int64(n)) }

// TestHeartbeatCountsComputation computes until a unit is counted, or fails after a
// minute.
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
		t.Errorf("no unit was counted (%v)", x)
	}
}

func TestCPUMeter(t *testing.T) {
	start := time.Unix(0, 0)
	for name, c := range map[string]struct {
		cpu  time.Duration
		want bool
	}{
		"blocked":        {0, false},
		"a timer":        {time.Millisecond, false},
		"a busy machine": {50 * time.Millisecond, true},
		"two cores":      {2 * time.Second, true},
	} {
		m := newCPUMeter(start, time.Hour, time.Hour)
		if got := m.busy(start.Add(time.Second), time.Hour+c.cpu); got != c.want {
			t.Errorf("%s: busy is %v", name, got)
		}
	}
	m := newCPUMeter(start, 0, time.Hour)
	if !m.busy(start.Add(time.Second), time.Second) || m.busy(start.Add(2*time.Second), time.Second) {
		t.Error("CPU time is counted twice")
	}
}

// TestCPUMeterLimit checks that no more than the limit is counted, and that seconds
// without computation do not use it up.
func TestCPUMeterLimit(t *testing.T) {
	now, cpu := time.Unix(0, 0), time.Duration(0)
	m := newCPUMeter(now, cpu, 10*time.Second)
	counted := 0
	for second := range 1000 {
		now = now.Add(time.Second)
		if second%2 == 0 {
			cpu += time.Second
		}
		if m.busy(now, cpu) {
			counted++
		}
	}
	if counted != 10 {
		t.Errorf("%d s were counted, want the limit of 10 s", counted)
	}
}
