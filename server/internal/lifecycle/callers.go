package lifecycle

import (
	"cmp"
	"slices"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Of the requests for a model that have the same priority, callers get the leases in
// turn, however many requests each of them has; and a full queue refuses requests of
// the caller that has the most. Among callers, the wait that raises a priority begins
// again with each lease of the caller: one that is served does not rise above others
// because it has sent more than it gets.

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
// leases, then the one whose last lease was granted first. A request that resumes its
// lease comes before others.
func compareTurns(held map[string]int, a, b *waiterView) int {
	switch {
	case a.kind == waitResume || b.kind == waitResume:
		return cmp.Compare(b.kind, a.kind)
	case a.caller == b.caller:
		return 0
	default:
		return cmp.Or(cmp.Compare(held[a.caller], held[b.caller]), cmp.Compare(a.served, b.served))
	}
}

// lastServed returns the number of the lease that a caller has got last: as far as it
// still has that or other requests for the model.
func (m *model) lastServed(caller string) uint64 {
	var last uint64
	for _, w := range m.queue {
		if w.caller == caller {
			last = max(last, w.served)
		}
	}
	if m.proc != nil {
		for l := range m.proc.leases {
			if l.caller == caller {
				last = max(last, l.number)
			}
		}
	}
	return last
}

// callerServed notes that a caller gets a lease, for its requests in the queue.
func (m *model) callerServed(caller string, p gatewayv1.Priority) {
	m.grants++
	m.recent.got(caller, m.now)
	for _, w := range m.queue {
		if w.kind == waitLease && w.caller == caller {
			w.served = m.grants
			if w.priority >= p {
				w.servedAt = m.now
			}
		}
	}
}

// callerServed is the same in a snapshot.
func (m *modelView) callerServed(caller string, p gatewayv1.Priority, s *snapshot) {
	m.grants++
	m.recent.got(caller, s.now)
	for i := range m.queue {
		if w := &m.queue[i]; w.kind == waitLease && w.caller == caller {
			w.served = m.grants
			if w.priority >= p {
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
	others := map[string]int{} // of the same priority
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
		}
	}
	for caller, waiting := range others {
		before += min(waiting, max(0, held[self.caller]+own-held[caller]))
	}
	return own + before
}

// mostWaiting returns the requests of the caller that has the most of them; of all
// callers that have as many.
func mostWaiting(queue []waiterView) []waiterView {
	waiting, most := map[string]int{}, 0
	for i := range queue {
		caller := queue[i].caller
		waiting[caller]++
		most = max(most, waiting[caller])
	}
	return slices.DeleteFunc(slices.Clone(queue), func(w waiterView) bool { return waiting[w.caller] < most })
}

// rank sets the priority among the requests of other callers.
func (w *waiterView) rank(now time.Time, agingStep time.Duration) {
	w.amongCallers = lowered(effectivePriority(w.priority, now.Sub(latest(w.since, w.servedAt)), agingStep), w.exceeds)
}
