package lifecycle

import (
	"cmp"
	"slices"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Of the requests for a model that have the same priority, callers get the leases in
// turn, however many requests each of them has; and a full queue refuses requests of
// the caller that has the most. A caller of weight two counts as two. Among callers, the wait that raises a priority begins
// again with each lease of the caller: one that is served does not rise above others
// because it has sent more than it gets.

// turn is the place of a caller among those that wait, by its last lease.
type turn struct {
	// due is when its next lease is due, in the virtual time of the model: a caller of
	// weight one gets a lease in each unit of it.
	due float64
	// number is that of its last lease; 0: none.
	number uint64
}

func compareDue(a, b turn) int {
	return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.number, b.number))
}

// grants counts the leases of a model, in the order in which they are granted.
type grants struct {
	number uint64
	// time is the virtual time. It begins as early for a new caller as for others: what
	// a caller did not use is not made up for later.
	time float64
}

// next counts a lease of a caller, and returns its next turn.
func (g *grants) next(last turn, weight int) turn {
	g.number++
	g.time = max(g.time, last.due)
	return turn{due: g.time + 1/float64(max(1, weight)), number: g.number}
}

// held returns how many leases of the model each caller has; nil if the requests that
// wait for one have only one caller.
func (m *modelView) held() map[string]int {
	first := slices.IndexFunc(m.queue, func(w waiterView) bool { return w.kind == waitLease })
	several := slices.ContainsFunc(m.queue, func(w waiterView) bool { return w.kind == waitLease && w.caller != m.queue[first].caller })
	if !several {
		return nil
	}
	held := map[string]int{}
	if m.proc != nil {
		for _, l := range m.proc.leases {
			held[l.caller]++
		}
	}
	return held
}

// firstOfCallers returns the first of those that accept holds for: of each caller's
// first requests, the one whose turn it is among those of the highest priority.
func (m *modelView) firstOfCallers(held map[string]int, accept func(*waiterView) bool) *waiterView {
	heads, highest := map[string]*waiterView{}, map[string]gatewayv1.Priority{}
	for i := range m.queue {
		w := &m.queue[i]
		if !accept(w) {
			continue
		}
		highest[w.caller] = max(highest[w.caller], w.amongCallers)
		if best := heads[w.caller]; best == nil || compareWaiters(w, best) < 0 {
			heads[w.caller] = w
		}
	}
	order := func(a, b *waiterView) int {
		return cmp.Or(cmp.Compare(highest[b.caller], highest[a.caller]), compareTurns(held, a, b), compareWaiters(a, b))
	}
	var first *waiterView
	for _, w := range heads {
		if first == nil || order(w, first) < 0 {
			first = w
		}
	}
	return first
}

// compareTurns orders the requests of two callers: first comes the caller with the fewest
// leases for its weight, then the one whose next lease is due first. A request that
// resumes its lease comes before others.
func compareTurns(held map[string]int, a, b *waiterView) int {
	switch {
	case a.kind == waitResume || b.kind == waitResume:
		return cmp.Compare(b.kind, a.kind)
	case a.caller == b.caller:
		return 0
	default:
		// Whole multiples: while each has less than its weight, the turns decide.
		return cmp.Or(cmp.Compare(held[a.caller]/max(1, a.weight), held[b.caller]/max(1, b.weight)), compareDue(a.turn, b.turn))
	}
}

// turnOf returns the turn of a caller by the lease that it has got last: as far as it
// still has that or other requests for the model.
func (m *model) turnOf(caller string) turn {
	var last turn
	later := func(t turn) {
		if t.number > last.number {
			last = t
		}
	}
	for _, w := range m.queue {
		if w.caller == caller {
			later(w.turn)
		}
	}
	if m.proc != nil {
		for l := range m.proc.leases {
			if l.caller == caller {
				later(l.turn)
			}
		}
	}
	return last
}

// callerServed notes that the caller of a request gets a lease, for its requests in the
// queue, and returns its next turn.
func (m *model) callerServed(granted *waiter) turn {
	next := m.grants.next(granted.turn, granted.weight)
	m.recent.got(granted.caller, m.now)
	for _, w := range m.queue {
		if w.kind == waitLease && w.caller == granted.caller {
			w.turn = next
			if w.priority >= granted.priority {
				w.servedAt = m.now
			}
		}
	}
	return next
}

// callerServed is the same in a snapshot.
func (m *modelView) callerServed(granted waiterView, s *snapshot) {
	next := m.grants.next(granted.turn, granted.weight)
	m.recent.got(granted.caller, s.now)
	for i := range m.queue {
		if w := &m.queue[i]; w.kind == waitLease && w.caller == granted.caller {
			w.turn = next
			if w.priority >= granted.priority {
				w.servedAt = s.now
				w.rank(s.now, s.limits.agingStep)
			}
		}
	}
}

// aheadOf counts the leases that are granted before the one to a request, if callers
// take turns.
func (m *modelView) aheadOf(self *waiterView, held map[string]int) int {
	own, before := 0, 0
	others, weights := map[string]int{}, map[string]int{} // of the same priority
	for i := range m.queue {
		switch w := &m.queue[i]; {
		case w.caller == self.caller:
			if compareWaiters(w, self) < 0 {
				own++
			}
		case w.amongCallers > self.amongCallers:
			before++
		case w.amongCallers == self.amongCallers:
			others[w.caller]++
			weights[w.caller] = max(1, w.weight)
		}
	}
	for caller, waiting := range others {
		before += min(waiting, max(0, (held[self.caller]+own)*weights[caller]/max(1, self.weight)-held[caller]))
	}
	return own + before
}

// mostWaiting returns the requests of the caller that has the most of them for its
// weight; of all callers that have as many.
func mostWaiting(queue []waiterView) []waiterView {
	waiting, most := map[string]float64{}, 0.0
	for i := range queue {
		w := &queue[i]
		waiting[w.caller] += 1 / float64(max(1, w.weight))
		most = max(most, waiting[w.caller])
	}
	return slices.DeleteFunc(slices.Clone(queue), func(w waiterView) bool { return waiting[w.caller] < most })
}

// rank sets the priority among the requests of other callers.
func (w *waiterView) rank(now time.Time, agingStep time.Duration) {
	w.amongCallers = lowered(effectivePriority(w.priority, now.Sub(latest(w.since, w.servedAt)), agingStep), w.exceeds)
}
