package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// describe writes a snapshot down, to compare it. Two things that are not
// predicted, as no decision of the same plan needs them, are left out: the
// progress of a worker, which a grant reads, and the delay after a second reload.
func describe(s *snapshot) string {
	var b strings.Builder
	fmt.Fprintln(&b, s.now, s.shuttingDown, s.lastSeq, s.turns)
	for _, m := range s.models {
		p := m.proc
		m.proc, m.reloadDelay = nil, 0
		fmt.Fprintf(&b, "%+v\n", m)
		if p != nil {
			process := *p
			process.stalled = 0
			fmt.Fprintf(&b, "\t%+v\n", process)
		}
	}
	return b.String()
}

func (s *snapshot) clone() *snapshot {
	c := *s
	c.models = slices.Clone(s.models)
	for i := range c.models {
		m := &c.models[i]
		m.queue = slices.Clone(m.queue)
		if m.proc != nil {
			p := *m.proc
			p.leases = slices.Clone(p.leases)
			m.proc = &p
		}
	}
	return &c
}

// checkPlanner drives the planner with random events, then without new ones until
// every request is answered.
func checkPlanner(t *rapid.T) {
	w := newWorld(t)
	for range rapid.IntRange(1, 60).Draw(t, "acts") {
		w.act()
		if rapid.Bool().Draw(t, "time passes") {
			w.advance(w.upTo(3 * time.Second))
		}
		if rapid.IntRange(0, 9).Draw(t, "until it wakes") == 0 {
			w.advance(min(w.s.nextWake(), 10*time.Second))
		}
	}
	clear(w.stuck)
	for i := range w.s.models { // some clients send audio again, others keep their leases
		m := &w.s.models[i]
		if m.proc == nil {
			continue
		}
		for j := range m.proc.leases {
			if l := &m.proc.leases[j]; l.paused && rapid.Bool().Draw(t, "sends audio") {
				w.pauseOrResume(m, l)
			}
		}
	}
	last := w.s.lastSeq
	limit := w.s.now.Add(w.longestWait())
	for w.waiting(last) > 0 {
		if w.s.now.After(limit) {
			t.Fatalf("requests still wait:\n%s", describe(w.s))
		}
		w.advance(min(w.s.nextWake(), time.Second))
	}
}

// TestPlanner checks that no model with a lease is evicted, that the budget is
// kept, and that every request is answered in a limited time; see world.
func TestPlanner(t *testing.T) { rapid.Check(t, checkPlanner) }

func FuzzPlanner(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkPlanner)) }
