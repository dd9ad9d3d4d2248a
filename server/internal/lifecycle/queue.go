package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// waiterKind is what a waiter waits for.
type waiterKind int

const (
	// waitLease waits for a lease.
	waitLease waiterKind = iota
	// waitLoad waits for the model to be ready.
	waitLoad
	// waitResume has a lease and waits for cores to resume its work.
	waitResume
)

// admission is how a wait ended: with a lease, with nothing, or with an error.
type admission struct {
	lease *Lease
	err   error
}

// waiter is a request in a model's queue. Only the owner uses it; its result is
// sent exactly once.
type waiter struct {
	model    *model
	kind     waiterKind
	priority gatewayv1.Priority
	// maxPriority: see Request.
	maxPriority gatewayv1.Priority
	arrival     time.Time
	// seq identifies it among all waiters and is the order of arrival.
	seq uint64
	// deadline is zero without one.
	deadline time.Time
	// waitedForLoad: it was queued when the model became ready; the model is not
	// evicted before it has got its lease.
	waitedForLoad bool
	// probe: it was let through although its deadline seems too short.
	probe bool
	// pin: the model is to be pinned once it is loaded, for waitLoad.
	pin bool
	// live: see Request.
	live bool
	// caller is who asks; see package peers.
	caller string
	// weight is that of its caller; 0 counts as 1.
	weight int
	// turn is that of its caller; see turnOf.
	turn turn
	// servedAt is when its caller got a lease for a request of its priority or below,
	// while it waited; zero if it did not.
	servedAt time.Time
	// lease is the lease to resume, for waitResume.
	lease *Lease
	// result has a capacity of 1.
	result   chan admission
	resolved bool
}

// runnableSince is when the waiter began to wait for cores alone.
func (w *waiter) runnableSince() time.Time {
	if p := w.model.proc; p != nil && p.readyAt.After(w.arrival) {
		return p.readyAt
	}
	return w.arrival
}

// enqueue adds a waiter to the queue of its model.
func (o *owner) enqueue(w *waiter) {
	o.seq++
	w.seq = o.seq
	if w.kind == waitLease {
		w.turn = w.model.turnOf(w.caller)
	}
	w.model.queue = append(w.model.queue, w)
}

// resolve ends a wait with a result, once.
func (w *waiter) resolve(a admission) {
	if w.resolved {
		return
	}
	w.resolved = true
	if i := slices.Index(w.model.queue, w); i >= 0 {
		w.model.queue = slices.Delete(w.model.queue, i, i+1)
	}
	w.result <- a
}

// refuse ends a wait with an error and counts it.
func (w *waiter) refuse(err *errs.Error) {
	if w.resolved {
		return
	}
	if w.kind == waitLease {
		w.model.stats.requests++
		w.model.stats.errors++
	}
	w.resolve(admission{err: err})
}

// refuse ends every wait of a kind for a model.
func (m *model) refuse(kind waiterKind, err *errs.Error) {
	for _, w := range slices.Clone(m.queue) {
		if w.kind == kind {
			w.refuse(err)
		}
	}
}

// refuseAll ends every wait for a model.
func (m *model) refuseAll(err *errs.Error) {
	for _, w := range slices.Clone(m.queue) {
		w.refuse(err)
	}
}

// waiter returns the queued request of an identifier.
func (m *model) waiter(seq uint64) *waiter {
	return m.queue[slices.IndexFunc(m.queue, func(w *waiter) bool { return w.seq == seq })]
}

// effectivePriority is the priority that orders the queue: one step up for each
// agingStep of waiting, so that a low priority delays a request but never
// excludes it.
func effectivePriority(p gatewayv1.Priority, waited, agingStep time.Duration) gatewayv1.Priority {
	return min(p+gatewayv1.Priority(waited/agingStep), gatewayv1.Priority_PRIORITY_CRITICAL)
}

// compareWaiters orders requests: by priority, then those that are overdue by
// arrival, then by deadline, then by arrival.
func compareWaiters(a, b *waiterView) int {
	if c := cmp.Compare(b.effective, a.effective); c != 0 {
		return c
	}
	switch {
	case a.overdue && !b.overdue:
		return -1
	case b.overdue && !a.overdue:
		return 1
	case !a.overdue:
		if c := compareDeadlines(a.deadline, b.deadline); c != 0 {
			return c
		}
	}
	return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.seq, b.seq))
}

func compareDeadlines(a, b time.Time) int {
	switch {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return 1
	case b.IsZero():
		return -1
	default:
		return a.Compare(b)
	}
}

// ahead counts the leases that are granted before the one to the queued request
// of an identifier.
func (m *modelView) ahead(seq uint64) int {
	self := &m.queue[slices.IndexFunc(m.queue, func(w waiterView) bool { return w.seq == seq })]
	if held := m.held(); held != nil {
		return min(m.aheadOf(self, held), m.turnsAhead(self))
	}
	n := 0
	for i := range m.queue {
		if w := &m.queue[i]; w != self && compareWaiters(w, self) < 0 {
			n++
		}
	}
	return min(n, m.turnsAhead(self))
}

// queueTime estimates how long a request with so many ahead waits for its turn,
// without the load; 0 if nothing is known. If all leases are given, that is what
// is left of the one that ends first, and a mean lease for each turn before its
// own. When a live lease ends cannot be known: it may be now.
func (m *modelView) queueTime(ahead int) time.Duration {
	wait := time.Duration(ahead) * m.serviceTime / time.Duration(m.maxConcurrency)
	if m.proc == nil || len(m.proc.leases) < m.maxConcurrency {
		return wait
	}
	left := m.serviceTime
	for _, l := range m.proc.leases {
		if l.live {
			return wait
		}
		left = min(left, max(0, m.serviceTime-l.worked))
	}
	return wait + left
}

// timeToReady estimates how long until the model is ready; 0 if nothing is
// known.
func (m *modelView) timeToReady(now time.Time) time.Duration {
	switch {
	case m.proc == nil || m.proc.unloading():
		return m.loadTime
	case m.proc.phase == phaseLoading:
		return max(0, m.loadTime-now.Sub(m.proc.started))
	default:
		return 0
	}
}

// probeInterval is how often a request whose deadline seems too short is let
// through, so that one slow load does not close a model for good.
const probeInterval = time.Minute

// refuseLate refuses a request at once if, by what was learned, it cannot meet
// its deadline behind so many others.
func (w *waiter) refuseLate(load, queue time.Duration) {
	m := w.model
	if w.deadline.IsZero() || w.kind != waitLease || w.probe || !m.now.Add(load+queue).After(w.deadline) {
		return
	}
	if m.refusingSince.IsZero() {
		m.refusingSince = m.now
	} else if m.proc == nil && load > 0 && m.now.Sub(m.refusingSince) >= probeInterval {
		m.refusingSince, w.probe = m.now, true
		return
	}
	w.refuse(lateError(m.spec.Name, load, queue, w.deadline.Sub(m.now)))
}

// boundQueues refuses what is above the bound of a queue: of the caller with the most
// requests, the request of the lowest priority that came last, which may be the
// newest, but not the one whose turn is next.
func (p *planner) boundQueues() {
	for i := range p.models {
		m := &p.models[i]
		for len(m.queue) > m.maxQueue {
			queue := slices.DeleteFunc(slices.Clone(m.queue), func(w waiterView) bool { return w.kind == waitResume })
			if len(queue) <= m.maxQueue {
				break
			}
			queue = mostWaiting(queue)
			if next := p.firstDue(m); next != nil && len(queue) > 1 {
				queue = slices.DeleteFunc(queue, func(w waiterView) bool { return w.seq == next.seq })
			}
			last := slices.MaxFunc(queue, func(a, b waiterView) int {
				return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.seq, b.seq))
			})
			p.decide(refuse{model: m.name, waiter: last.seq, err: queueFullError(m)})
		}
	}
}
