package onnx

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// heartbeatInterval is how often a computation is looked at for progress.
	heartbeatInterval = time.Second
	// busyShare is the least part of one core, over an interval, that counts as
	// work. A worker that waits uses less than a thousandth; one that computes on a
	// crowded machine still gets more.
	busyShare = 0.02
)

// Heartbeat counts a unit of work for each second in which the process computed,
// until stop is called or as many seconds were counted as limit has. A run of
// ONNX Runtime, or a load, is one call that tells nothing while it goes on and may
// take longer than the gateway waits for a sign of life. What the process's own
// CPU time tells is that something computes: a run that is blocked counts nothing
// and is found out. It cannot tell whose computation it is, so that a blocked run
// looks alive while another call is at work, and one that computes for ever looks
// alive by itself; both do for as long as limit, which should be several times
// what the slowest machine takes. What runs beyond that should have counted work
// in another way. While other calls count work, nobody notices either: for that,
// callers have deadlines.
func Heartbeat(work interface{ Add(n int) }, limit time.Duration) (stop func()) {
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(heartbeatInterval)
		defer ticker.Stop()
		beat := newPulse(time.Now(), cpuTime(), limit)
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				if beat.computed(now, cpuTime()) {
					work.Add(1)
				}
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// pulse compares CPU time with the clock.
type pulse struct {
	at   time.Time
	cpu  time.Duration
	left time.Duration // that may count as work yet
}

func newPulse(now time.Time, cpu, limit time.Duration) *pulse {
	return &pulse{at: now, cpu: cpu, left: limit}
}

// computed tells whether the process was at work since the last look, as long as
// there is something left of the limit.
func (p *pulse) computed(now time.Time, cpu time.Duration) bool {
	least := time.Duration(busyShare * float64(now.Sub(p.at)))
	busy := cpu-p.cpu > least && p.left > 0
	if busy {
		p.left -= now.Sub(p.at)
	}
	p.at, p.cpu = now, cpu
	return busy
}

// cpuTime is what all threads of the process have computed, in user and kernel
// mode.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
