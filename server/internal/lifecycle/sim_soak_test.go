package lifecycle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// soak drives the owner with random events and checks the invariants after
// each.
type soak struct {
	*sim
	r *rand.Rand
	// real is the memory that a model's process grows to.
	real map[string]int64
	// waiting and held are in the order of arrival, so that a seed reproduces a
	// run exactly.
	waiting []pending
	held    []*holding
	ends    map[*process]time.Time
	served  map[string]int
	reasons map[string]int
	longest time.Duration
	// grew is the growth since the budget was last kept.
	grew int64
}

type pending struct {
	waiter *waiter
	since  time.Time
}

type holding struct {
	lease *Lease
	until time.Time
	stuck bool
}

func newSoak(t *testing.T, seed uint64) *soak {
	r := rand.New(rand.NewPCG(seed, 0))
	var specs []ModelSpec
	real := map[string]int64{}
	for i := range 7 {
		name := fmt.Sprintf("m%d", i)
		size := (10 + r.Int64N(60)) * mb
		specs = append(specs, spec(name, size, gatewayv1.Priority(i%4+1), threads(r.IntN(4)), concurrency(1+r.IntN(4)),
			queueOf(20), idleAfter(time.Duration(5+r.IntN(60))*time.Second)))
		real[name] = size * 9 / 10
		if i%3 == 2 { // more than declared
			real[name] = min(140*mb, size*int64(12+r.IntN(20))/10)
		}
	}
	s := &soak{
		sim: newSim(t, Options{BudgetBytes: 150 * mb, CPUThreads: 3, MaxWait: time.Minute, CrashLimit: 3}, specs...),
		r:   r, real: real,
		ends:    map[*process]time.Time{},
		served:  map[string]int{},
		reasons: map[string]int{},
	}
	return s
}

// step makes one random event happen.
func (s *soak) step() {
	switch n := s.r.IntN(100); {
	case n < 40:
		s.arrive()
	case n < 44:
		if len(s.waiting) > 0 {
			s.leave(s.waiting[s.r.IntN(len(s.waiting))].waiter, context.Canceled)
		}
	case n < 46:
		m := s.o.models[s.r.IntN(len(s.o.models))]
		s.do(func(*owner) { m.unload(make(chan int64, 1)) })
	case n < 47:
		if p := s.o.models[s.r.IntN(len(s.o.models))].proc; p != nil && p.worker != nil && p.phase != phaseLoading {
			s.do(func(*owner) { p.exited(errs.New(errs.EngineCrashed, "signal 11")) })
			delete(s.workers, p)
			delete(s.ends, p)
		}
	case n < 60:
		s.sampleAll()
	default:
		s.advance(time.Duration(s.r.IntN(300)) * time.Millisecond)
	}
	s.progress()
	s.collect()
	s.check()
}

func (s *soak) arrive() {
	m := s.o.models[s.r.IntN(len(s.o.models))]
	var change []func(*waiter)
	if s.r.IntN(3) == 0 {
		change = append(change, s.within(time.Duration(1+s.r.IntN(20))*time.Second))
	}
	if s.r.IntN(4) == 0 {
		change = append(change, withPriority(gatewayv1.Priority(1+s.r.IntN(4))))
	}
	s.waiting = append(s.waiting, pending{s.request(m.spec.Name, change...), s.clock.Now()})
}

// sampleAll measures every worker: it grows step by step to its real size.
func (s *soak) sampleAll() {
	if s.o.snapshot().used() <= s.o.opts.BudgetBytes {
		s.grew = 0
	}
	for _, m := range s.o.models {
		p := m.proc
		if p == nil || p.worker == nil {
			continue
		}
		w := s.workers[p]
		step := max(s.real[m.spec.Name]-w.bytes, 0) / 2
		w.bytes += step
		s.grew += step
		s.measured(m.spec.Name, w.bytes)
	}
}

// progress ends loads, processes and leases whose time has come.
func (s *soak) progress() {
	now := s.clock.Now()
	for _, m := range s.o.models {
		p := m.proc
		if p == nil {
			continue
		}
		at, known := s.ends[p]
		switch {
		case p.phase == phaseLoading && p.worker == nil:
			s.do(func(*owner) { p.launched(s.workers[p]) })
			s.ends[p] = now.Add(time.Duration(s.r.IntN(3000)) * time.Millisecond)
		case p.phase == phaseLoading && known && !now.Before(at):
			delete(s.ends, p)
			if s.r.IntN(20) == 0 {
				s.do(func(*owner) { p.loadFailed(errs.New(errs.ModelFileInvalid, "broken")) })
			} else {
				s.do(func(*owner) { p.loaded() })
			}
		case p.phase == phaseStopping && (!known || at.After(now.Add(time.Second))):
			s.ends[p] = now.Add(time.Duration(s.r.IntN(1000)) * time.Millisecond)
		case p.phase == phaseStopping && !now.Before(at):
			s.reaped(m.spec.Name, nil)
			delete(s.workers, p)
			delete(s.ends, p)
		}
	}
	s.held = slices.DeleteFunc(s.held, func(h *holding) bool {
		if h.lease.Cause() == nil && now.Before(h.until) {
			if w := s.workers[h.lease.proc]; !h.stuck && w != nil && !w.suspended {
				w.work++
			}
			return false
		}
		s.release(h.lease, h.lease.Cause())
		return true
	})
}

// collect takes the answers.
func (s *soak) collect() {
	s.waiting = slices.DeleteFunc(s.waiting, func(p pending) bool {
		if !p.waiter.resolved {
			return false
		}
		s.longest = max(s.longest, s.clock.Since(p.since))
		s.answered(p.waiter)
		return true
	})
}

func (s *soak) answered(w *waiter) {
	a := <-w.result
	if a.err != nil {
		s.reasons[errs.ReasonName(errs.ReasonOf(a.err))]++
		return
	}
	s.served[w.model.spec.Name]++
	stuck := s.r.IntN(300) == 0
	d := time.Duration(s.r.IntN(2000)) * time.Millisecond
	if stuck {
		d = time.Hour
	}
	s.held = append(s.held, &holding{lease: a.lease, until: s.clock.Now().Add(d), stuck: stuck})
}

// check checks the invariants.
func (s *soak) check() {
	s.t.Helper()
	var charged, staying int64
	for _, m := range s.o.models {
		p := m.proc
		if p == nil {
			continue
		}
		charged += p.charged()
		if p.phase != phaseStopping {
			staying += p.charged()
		}
		if len(p.leases) > m.spec.MaxConcurrency {
			s.t.Fatalf("%s has %d leases", m.spec.Name, len(p.leases))
		}
		if p.phase == phaseStopping && len(p.leases) > 0 {
			s.t.Fatalf("%s is stopped with leases, because %+v", m.spec.Name, p.end)
		}
	}
	if charged > s.o.opts.BudgetBytes+s.grew {
		s.t.Fatalf("%d charged, the budget is %d, the growth since then %d", charged, s.o.opts.BudgetBytes, s.grew)
	}
	if staying > s.o.opts.BudgetBytes {
		s.t.Fatalf("%d stay charged, the budget is %d", staying, s.o.opts.BudgetBytes)
	}
	if n := s.o.snapshot().coresUsed(); n > s.o.opts.CPUThreads {
		s.t.Fatalf("%d threads at work", n)
	}
	s.checkSuspended()
	for _, h := range s.held {
		l := h.lease
		if r := errs.ReasonOf(l.Cause()); l.Cause() != nil && r != errs.EngineCrashed && r != errs.MemoryBusy {
			s.t.Fatalf("a lease was taken away with %v", l.Cause())
		}
	}
	for _, p := range s.waiting {
		w := p.waiter
		if d := s.clock.Since(p.since); d > s.o.opts.MaxWait+10*time.Second {
			s.t.Fatalf("a request for %s has waited %s", w.model.spec.Name, d)
		}
	}
}

func TestSimulatedSoak(t *testing.T) {
	steps := 6000
	if testing.Short() {
		steps = 2000
	}
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newSoak(t, seed)
			for range steps {
				s.step()
			}
			// Without new requests everything ends.
			for range 2000 {
				s.advance(100 * time.Millisecond)
				s.progress()
				s.collect()
				s.check()
			}
			if len(s.waiting) > 0 || len(s.held) > 0 {
				t.Fatalf("%d still wait, %d are held", len(s.waiting), len(s.held))
			}
			for _, m := range s.o.models {
				if m.proc != nil || len(m.queue) > 0 || len(m.unloads) > 0 {
					t.Errorf("%s did not end: %s", m.spec.Name, stateName(m.stateNow()))
				}
				if s.served[m.spec.Name] == 0 {
					t.Errorf("%s was never served", m.spec.Name)
				}
			}
			t.Logf("served %v, refused %v, longest wait %s, launches %v", s.served, s.reasons, s.longest, s.launches)
		})
	}
}
