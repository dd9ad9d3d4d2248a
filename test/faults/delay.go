package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tick is how often a delays looks at the clock.
const tick = 10 * time.Millisecond

// delays measures how much later than due this process is scheduled: on a busy
// machine, everything takes longer by about that. The limits of the checks allow for
// it, so that no check depends on what else the machine does.
type delays struct {
	mu      sync.Mutex
	samples []sample // the delays so far, summed up
}

type sample struct {
	at  time.Time
	sum time.Duration
}

// measure adds a sample each tick until stop is closed.
func (d *delays) measure(stop <-chan struct{}) {
	for last := time.Now(); ; {
		select {
		case <-stop:
			return
		case <-time.After(tick):
		}
		now := time.Now()
		d.add(now, max(0, now.Sub(last)-tick))
		last = now
	}
}

func (d *delays) add(at time.Time, late time.Duration) {
	const most = 60_000 // ten minutes
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := late
	if n := len(d.samples); n > 0 {
		sum += d.samples[n-1].sum
	}
	d.samples = append(d.samples, sample{at, sum})
	if len(d.samples) > 2*most {
		d.samples = append([]sample(nil), d.samples[most:]...)
	}
}

// between returns the sum of the delays in a span of time.
func (d *delays) between(from, to time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sumAt(to) - d.sumAt(from)
}

// sumAt returns the sum of the delays until a time. If the next sample is overdue
// then, that counts too.
func (d *delays) sumAt(at time.Time) time.Duration {
	after := sort.Search(len(d.samples), func(i int) bool { return d.samples[i].at.After(at) })
	if after == 0 {
		return 0
	}
	last := d.samples[after-1]
	return last.sum + max(0, at.Sub(last.at)-tick)
}

// waited returns how long the threads of a process have waited for a processor.
func waited(pid int) time.Duration {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0 // the pattern is valid
	}
	var sum time.Duration
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			ns, _ := strconv.ParseInt(fields[1], 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}
