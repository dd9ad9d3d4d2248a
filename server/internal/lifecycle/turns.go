package lifecycle

import (
	"cmp"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Priority orders requests, but excludes none: whatever the load of higher
// priorities, a low one gets one turn of turnOf, of a model's leases and of the
// cores, and a model's memory once it has waited long enough.

const (
	// turnOf is the number of turns of which a low priority gets one.
	turnOf = 8
	// wholeTurn is what a turn counts. A grant may be a part of one.
	wholeTurn = 60
)

// turns counts, for each priority, the turns of higher ones since the last one of
// it or of a lower one, up to turnOf-1.
type turns [gatewayv1.Priority_PRIORITY_CRITICAL + 1]int

// granted counts a grant. A lease of a model is a turn; of the cores, which
// the requests of a model share, it is a part of one. Also if its caller has used more
// than its share of the cores, it counts with its priority.
func (t *turns) granted(to gatewayv1.Priority, concurrent int) {
	to = raised(to)
	for p := range t {
		if gatewayv1.Priority(p) < to { //nolint:gosec // an index of the array
			t[p] = min(t[p]+max(1, wholeTurn/concurrent), (turnOf-1)*wholeTurn)
		} else {
			t[p] = 0
		}
	}
}

// due reports whether the next grant is the turn of a priority.
func (t *turns) due(p gatewayv1.Priority) bool { return t[p] >= (turnOf-1)*wholeTurn }

// firstDue returns the first of those that wait for a lease and whose turn it is,
// whatever comes before it in the order of the queue; nil if there is none. Of
// several callers it is one of the caller whose turn it is.
func (s *snapshot) firstDue(m *modelView) *waiterView {
	held, place := m.held(), s.keptPlace(m)
	var first *waiterView
	for i := range m.queue {
		w := &m.queue[i]
		if w.kind == waitLease && m.turns.due(w.priority) && !place.withheld(w.caller, s.now) && (first == nil || cmp.Or(compareTurns(held, w, first), cmp.Compare(w.seq, first.seq)) < 0) {
			first = w
		}
	}
	return first
}

// turnsAhead is how many leases are granted before a queued request has its turn:
// turnOf for each request of its priority or below that came before it.
func (m *modelView) turnsAhead(self *waiterView) int {
	n := turnOf - 1 - m.turns[self.priority]/wholeTurn
	for i := range m.queue {
		w := &m.queue[i]
		if w.kind == waitLease && w.seq < self.seq && w.priority <= self.priority {
			n += turnOf
		}
	}
	return n
}

// yieldsAt is when a resident model of a higher priority counts as one of the
// demanded priority for a model that waits: when a request for that has waited long
// enough to have the same priority, be it in several tries, and for all but one
// turn of the resident's minimum residence, so that loads do not take most of the
// time.
func (s *snapshot) yieldsAt(m, resident *modelView) time.Time {
	var at time.Time
	for i := range m.queue {
		w := &m.queue[i]
		aged := time.Duration(max(0, resident.priority-w.priority)) * s.limits.agingStep
		at = earlier(at, w.since.Add(max(aged, (turnOf-1)*s.minResidence(resident.proc))))
	}
	return at
}

// yielding returns the residents as a waiting model sees them after the time that
// its requests have waited.
func (s *snapshot) yielding(m *modelView, demanded gatewayv1.Priority, residents []resident) []resident {
	for i := range residents {
		r := &residents[i]
		if r.priority <= demanded {
			continue
		}
		at := s.yieldsAt(m, s.model(r.name))
		if !s.now.Before(at) {
			r.priority = demanded
		} else if r.idleAt.IsZero() || at.Before(r.idleAt) {
			r.idleAt = at
		}
	}
	return residents
}

// age sets the priority that follows from the wait; starved is zero or when an
// earlier request for the same model began to wait for its memory.
func (w *waiterView) age(starved time.Time, s *snapshot) {
	w.since = earlier(starved, w.arrival)
	w.effective = lowered(effectivePriority(w.priority, s.now.Sub(w.since), s.limits.agingStep), w.exceeds)
	w.rank(s.now, s.limits.agingStep)
}

// earlier returns the earlier of two times, of which the first may be zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
