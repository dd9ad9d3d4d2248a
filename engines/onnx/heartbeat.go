package onnx

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// heartbeatInterval is how often Heartbeat checks for progress.
	heartbeatInterval = time.Second
	// busyShare is the minimum share of one core, over an interval, that counts as
	// work. A waiting worker uses less than a thousandth; a computing one gets more,
	// even on a busy machine.
	busyShare = 0.02
)

// Heartbeat counts a unit of work for each second in which the process computed, until
// stop is called, but no more than limit in total. A run of ONNX Runtime, or a load, is
// one call that reports no progress and may take longer than the server waits for
// progress.
//
// Heartbeat measures the CPU time of the process. A blocked run therefore counts
// nothing and is detected. But the CPU time does not show which call computes: a blocked
// run seems to make progress while another call computes, and so does a run that never
// ends. limit bounds both; it should be several times the duration on the slowest
// machine. While other calls count work, neither is detected; callers have deadlines for
// that.
func Heartbeat(work interface{ Add(n int) }, limit time.Duration) (stop func()) {
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(heartbeatInterval)
		defer ticker.Stop()
		meter := newCPUMeter(time.Now(), cpuTime(), limit)
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				if meter.busy(now, cpuTime()) {
					work.Add(1)
				}
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// cpuMeter compares CPU time with elapsed time.
type cpuMeter struct {
	at   time.Time
	cpu  time.Duration
	left time.Duration // until the limit
}

func newCPUMeter(now time.Time, cpu, limit time.Duration) *cpuMeter {
	return &cpuMeter{at: now, cpu: cpu, left: limit}
}

// busy reports whether the process computed since the last call. It returns false when
// the limit is used up.
func (m *cpuMeter) busy(now time.Time, cpu time.Duration) bool {
	minimum := time.Duration(busyShare * float64(now.Sub(m.at)))
	busy := cpu-m.cpu > minimum && m.left > 0
	if busy {
		m.left -= now.Sub(m.at)
	}
	m.at, m.cpu = now, cpu
	return busy
}

// cpuTime returns the CPU time of all threads of the process, in user and kernel mode.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
