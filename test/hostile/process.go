package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// usage is what processes have used.
type usage struct {
	rss, peak int64 // bytes
	cpu       time.Duration
}

// usageOf returns the sum of what processes use. Those that have ended count as
// nothing.
func usageOf(pids ...int) usage {
	var sum usage
	for _, pid := range pids {
		p, err := procfs.NewProc(pid)
		if err != nil {
			continue
		}
		status, err := p.NewStatus()
		if err != nil {
			continue
		}
		stat, err := p.Stat()
		if err != nil {
			continue
		}
		sum.rss += int64(status.VmRSS)                                  //nolint:gosec // bytes of memory
		sum.peak += int64(status.VmHWM)                                 //nolint:gosec // bytes of memory
		sum.cpu += time.Duration(stat.CPUTime() * float64(time.Second)) // seconds
	}
	return sum
}

// forgetPeaks makes the processes' peaks what they use now.
func forgetPeaks(pids ...int) error {
	const peak = "5" // see proc_pid_clear_refs(5)
	for _, pid := range pids {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(peak), 0o200); err != nil {
			return err
		}
	}
	return nil
}

// measured is what happened to the processes of a server in some time.
type measured struct {
	took time.Duration
	// server and workers are by how many bytes they grew at most.
	server, workers int64
	// cpu and workersCPU are the processor time of the server and of its workers.
	cpu, workersCPU time.Duration
}

// watch measures the processes of the server until the returned function is
// called.
func (s *server) watch(ctx context.Context) (stop func() measured, err error) {
	workers, err := s.workers(ctx)
	if err != nil {
		return nil, err
	}
	if err := forgetPeaks(append(workers, s.pid())...); err != nil {
		return nil, err
	}
	start, server, work := time.Now(), usageOf(s.pid()), usageOf(workers...)
	return func() measured {
		now, worked := usageOf(s.pid()), usageOf(workers...)
		return measured{
			took: time.Since(start), cpu: now.cpu - server.cpu, workersCPU: worked.cpu - work.cpu,
			server: max(0, now.peak-server.rss), workers: max(0, worked.peak-work.rss),
		}
	}, nil
}

// awaitMemory waits until the server uses little more than before bytes, and
// returns how long that took and what it uses.
func (s *server) awaitMemory(ctx context.Context, before int64) (time.Duration, int64, error) {
	start := time.Now()
	for {
		now := usageOf(s.pid()).rss
		if float64(now) <= float64(before)*mostLeft {
			return time.Since(start), now, nil
		}
		select {
		case <-ctx.Done():
			return time.Since(start), now, fmt.Errorf("the server uses %s, and used %s before the attacks", mib(now), mib(before))
		case <-time.After(time.Second):
		}
	}
}
