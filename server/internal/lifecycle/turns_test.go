package lifecycle

import (
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// served is what a load test counts for each priority.
type served struct {
	tried, answered map[gatewayv1.Priority]int
	reasons         map[errs.Reason]int
}

// caller sends one request after the other, each with a deadline if it has a
// patience.
type caller struct {
	model    string
	priority gatewayv1.Priority
	patience time.Duration

	waiter *waiter
	lease  *Lease
	until  time.Time
	again  time.Time
}

// underLoad lets callers send requests for a time; each lease lasts service. It
// ends loads and exits of workers after a second.
func (s *sim) underLoad(callers []*caller, lasts, service time.Duration) served {
	s.t.Helper()
	out := served{map[gatewayv1.Priority]int{}, map[gatewayv1.Priority]int{}, map[errs.Reason]int{}}
	const step = 250 * time.Millisecond
	phases := map[*process]time.Time{}
	end := s.clock.Now().Add(lasts)
	for s.clock.Now().Before(end) {
		now := s.clock.Now()
		for _, m := range s.o.models {
			p := m.proc
			if p == nil {
				continue
			}
			s.workers[p].work++
			if p.phase != phaseLoading && p.phase != phaseStopping {
				delete(phases, p)
				continue
			}
			if phases[p].IsZero() {
				phases[p] = now
			}
			if now.Sub(phases[p]) < time.Second {
				continue
			}
			delete(phases, p)
			if p.phase == phaseLoading {
				s.loaded(m.spec.Name)
			} else {
				s.reaped(m.spec.Name, nil)
			}
		}
		for _, c := range callers {
			s.step(c, out, service)
		}
		s.advance(step)
	}
	return out
}

// step lets one caller do what is due.
func (s *sim) step(c *caller, out served, service time.Duration) {
	now := s.clock.Now()
	if c.lease != nil && !now.Before(c.until) {
		s.release(c.lease, nil)
		c.lease = nil
		out.answered[c.priority]++
	}
	if c.waiter != nil && !c.waiter.resolved && !c.waiter.deadline.IsZero() && !now.Before(c.waiter.deadline) {
		s.leave(c.waiter, errs.New(errs.DeadlineExceeded, "the deadline passed"))
	}
	if c.lease == nil && c.waiter == nil && !now.Before(c.again) {
		out.tried[c.priority]++
		c.waiter = s.request(c.model, withPriority(c.priority), func(w *waiter) {
			if c.patience > 0 {
				w.deadline = now.Add(c.patience)
			}
		})
	}
	if c.waiter == nil || !c.waiter.resolved {
		return
	}
	a := <-c.waiter.result
	c.waiter = nil
	if a.err != nil {
		out.reasons[errs.ReasonOf(a.err)]++
		c.again = now.Add(time.Second)
		return
	}
	c.lease, c.until = a.lease, now.Add(service)
}

func callers(n int, c caller) []*caller {
	var out []*caller
	for range n {
		one := c
		out = append(out, &one)
	}
	return out
}

// Steady load of a high priority, more than a model, the cores or the memory can
// serve, leaves a lower priority its share, also if its requests have deadlines
// and so do not wait for long.
func TestEveryPriorityGetsItsTurns(t *testing.T) {
	const lasts, service = 10 * time.Minute, time.Second
	chat := func(more ...func(*ModelSpec)) ModelSpec {
		return spec("chat", 60*mb, critical, append([]func(*ModelSpec){threads(2), concurrency(1)}, more...)...)
	}
	for name, tt := range map[string]struct {
		specs   []ModelSpec
		callers []*caller
		least   map[gatewayv1.Priority]int
	}{
		"one queue, with deadlines": {
			[]ModelSpec{chat()},
			append(callers(12, caller{model: "chat", priority: critical}),
				callers(1, caller{model: "chat", priority: low, patience: 10 * time.Second})...),
			map[gatewayv1.Priority]int{low: 55, critical: 440},
		},
		"one queue that is full": {
			[]ModelSpec{chat(queueOf(4))},
			append(callers(12, caller{model: "chat", priority: critical}),
				callers(1, caller{model: "chat", priority: low, patience: 10 * time.Second})...),
			map[gatewayv1.Priority]int{low: 40, critical: 440},
		},
		"many of low priority": {
			[]ModelSpec{chat(queueOf(16))},
			append(callers(12, caller{model: "chat", priority: critical}), callers(30, caller{model: "chat", priority: low})...),
			map[gatewayv1.Priority]int{low: 55, critical: 440},
		},
		"normal between high and critical": {
			[]ModelSpec{chat()},
			append(append(callers(6, caller{model: "chat", priority: critical}), callers(6, caller{model: "chat", priority: high})...),
				callers(1, caller{model: "chat", priority: normal, patience: 10 * time.Second})...),
			map[gatewayv1.Priority]int{normal: 55, high: 100, critical: 200},
		},
		"normal between high": {
			[]ModelSpec{chat()},
			append(callers(12, caller{model: "chat", priority: high}),
				callers(1, caller{model: "chat", priority: normal, patience: 10 * time.Second})...),
			map[gatewayv1.Priority]int{normal: 55, high: 440},
		},
		"the cores": {
			[]ModelSpec{chat(concurrency(3)), spec("stt", 20*mb, low, threads(1))},
			append(callers(12, caller{model: "chat", priority: critical}),
				callers(1, caller{model: "stt", priority: low, patience: 10 * time.Second})...),
			map[gatewayv1.Priority]int{low: 40, critical: 1200},
		},
		"the cores, of several models": {
			[]ModelSpec{chat(), spec("voice", 10*mb, high, threads(2), concurrency(1)), spec("stt", 20*mb, low, threads(1))},
			append(append(callers(6, caller{model: "chat", priority: critical}), callers(6, caller{model: "voice", priority: high})...),
				callers(2, caller{model: "stt", priority: low, patience: 10 * time.Second})...),
			map[gatewayv1.Priority]int{low: 20, high: 100, critical: 200},
		},
		"the memory, with patience": {
			[]ModelSpec{chat(), spec("batch", 60*mb, low, threads(1))},
			append(callers(6, caller{model: "chat", priority: critical}), callers(1, caller{model: "batch", priority: low})...),
			map[gatewayv1.Priority]int{low: 5, critical: 400},
		},
		"the memory, with deadlines": {
			[]ModelSpec{chat(), spec("batch", 60*mb, low, threads(1))},
			append(callers(6, caller{model: "chat", priority: critical}),
				callers(1, caller{model: "batch", priority: low, patience: 10 * time.Second})...),
			map[gatewayv1.Priority]int{low: 5, critical: 400},
		},
		"the memory, of models of high priority that evict each other": {
			[]ModelSpec{chat(), spec("voice", 60*mb, critical, threads(1)), spec("batch", 60*mb, low, threads(1))},
			append(append(callers(3, caller{model: "chat", priority: critical}), callers(3, caller{model: "voice", priority: critical})...),
				callers(1, caller{model: "batch", priority: low, patience: 10 * time.Second})...),
			map[gatewayv1.Priority]int{low: 3, critical: 100},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, Options{BudgetBytes: 100 * mb, CPUThreads: 2}, tt.specs...)
			got := s.underLoad(tt.callers, lasts, service)
			t.Logf("tried %v, answered %v, refused %v", got.tried, got.answered, got.reasons)
			for p, least := range tt.least {
				if got.answered[p] < least {
					t.Errorf("%s: %d answers to %d requests, want at least %d", priorityName(p), got.answered[p], got.tried[p], least)
				}
			}
		})
	}
}
