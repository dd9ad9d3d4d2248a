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
	// waitResume has a lease and waits for cores to go on.
	waitResume
)

// admission is how a wait ended: a lease, nothing, or an error.
type admission struct {
	lease *Lease
	err   error
}

// waiter is a request in a model's queue. Only the owner touches it; its
// result is sent exactly once.
type waiter struct {
	model    *model
	kind     waiterKind
	priority gatewayv1.Priority
	arrival  time.Time
	seq      uint64
	// deadline is zero without one.
	deadline time.Time
	// owed: it was waiting when the model became ready, and is served before
	// the model goes again.
	owed bool
	// probe: it was let through although it seems to come too late.
	probe bool
	pin   bool
	live  bool // see Request
	lease *Lease
	// result has room for one.
	result   chan admission
	resolved bool
}

// aged is the priority that orders the queue: one step up for each AgingStep
// of waiting, so that nobody waits for ever behind those above.
func (w *waiter) aged(now time.Time, step time.Duration) gatewayv1.Priority {
	raised := w.priority + gatewayv1.Priority(now.Sub(w.arrival)/step)
	return min(raised, gatewayv1.Priority_PRIORITY_CRITICAL)
}

// runnableSince is when the waiter began to wait for cores alone.
func (w *waiter) runnableSince() time.Time {
	if p := w.model.proc; p != nil && p.readyAt.After(w.arrival) {
		return p.readyAt
	}
	return w.arrival
}

// order compares waiters: priority, then those that have waited out their
// quantum by arrival, then deadline, then arrival.
func (o *owner) order(a, b *waiter) int {
	now := o.now
	if c := cmp.Compare(b.aged(now, o.opts.AgingStep), a.aged(now, o.opts.AgingStep)); c != 0 {
		return c
	}
	ua, ub := o.overdue(a), o.overdue(b)
	switch {
	case ua != ub:
		if ua {
			return -1
		}
		return 1
	case !ua:
		if c := compareDeadlines(a.deadline, b.deadline); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.seq, b.seq)
}

// overdue tells whether the waiter has waited for cores longer than the
// quantum.
func (o *owner) overdue(w *waiter) bool {
	return o.now.Sub(w.runnableSince()) >= o.opts.CPUQuantum
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

// first returns the waiter of a model that comes first among those that accept
// holds for; nil if there is none.
func (o *owner) first(m *model, accept func(*waiter) bool) *waiter {
	var best *waiter
	for _, w := range m.queue {
		if accept(w) && (best == nil || o.order(w, best) < 0) {
			best = w
		}
	}
	return best
}

// head returns the waiter of a model that comes first.
func (o *owner) head(m *model) *waiter {
	return o.first(m, func(*waiter) bool { return true })
}

// enqueue adds a waiter.
func (o *owner) enqueue(w *waiter) {
	o.seq++
	w.seq = o.seq
	w.model.queue = append(w.model.queue, w)
}

// boundQueue refuses what is above the queue's bound: the waiter of the lowest
// priority that came last, which may be the newest.
func (o *owner) boundQueue(m *model) {
	for len(m.queue) > m.spec.MaxQueue {
		queue := slices.DeleteFunc(slices.Clone(m.queue), func(w *waiter) bool { return w.kind == waitResume })
		if len(queue) <= m.spec.MaxQueue {
			return
		}
		worst := slices.MaxFunc(queue, func(a, b *waiter) int {
			return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.seq, b.seq))
		})
		wait := min(max(o.queueTime(m, len(m.queue)), time.Second), time.Minute)
		o.refuse(worst, errs.New(errs.QueueFull,
			"%d requests wait for model %q already; try again in about %s", m.spec.MaxQueue, m.spec.Name, wait.Round(time.Second)).
			WithRetryAfter(wait).With("model", m.spec.Name))
	}
}

// resolve ends a wait with a result, once.
func (o *owner) resolve(w *waiter, a admission) {
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
func (o *owner) refuse(w *waiter, err *errs.Error) {
	if w.resolved {
		return
	}
	if w.kind == waitLease {
		w.model.stats.requests++
		w.model.stats.errors++
	}
	o.resolve(w, admission{err: err})
}

// refuseAll ends every wait for a model.
func (o *owner) refuseAll(m *model, err *errs.Error) {
	for _, w := range slices.Clone(m.queue) {
		o.refuse(w, err)
	}
}

// queueTime estimates how long a request with so many ahead waits for its
// turn, without the load: what is left of the lease that ends first if all are
// given, and a mean lease for each turn before its own; 0 where nothing is
// known. Of live leases nobody knows when they end: it may be now.
func (o *owner) queueTime(m *model, ahead int) time.Duration {
	mean := m.stats.service
	wait := time.Duration(ahead) * mean / time.Duration(m.spec.MaxConcurrency)
	if m.proc == nil || len(m.proc.leases) < m.spec.MaxConcurrency {
		return wait
	}
	left := mean
	for l := range m.proc.leases {
		if l.live {
			return wait
		}
		left = min(left, max(0, mean-l.workedFor(o.now)))
	}
	return wait + left
}

// loadTime estimates how long until the model is ready; 0 where nothing is
// known.
func (o *owner) loadTime(m *model) time.Duration {
	expected := m.size.learned.loadTime()
	switch {
	case m.proc == nil || m.proc.leaving():
		return expected
	case m.proc.phase == phaseLoading:
		return max(0, expected-o.now.Sub(m.proc.started))
	default:
		return 0
	}
}

// doomedProbe is how often a request that seems to come too late is let
// through, so that one slow load does not shut a model for ever.
const doomedProbe = time.Minute

// refuseDoomed refuses a request at once if, by what was learned, it cannot
// meet its deadline behind so many others.
func (o *owner) refuseDoomed(w *waiter, ahead int) {
	m := w.model
	if w.deadline.IsZero() || w.kind != waitLease || w.probe {
		return
	}
	load, queue := o.loadTime(m), o.queueTime(m, ahead)
	if !o.now.Add(load + queue).After(w.deadline) {
		return
	}
	if m.doomedSince.IsZero() {
		m.doomedSince = o.now
	} else if m.proc == nil && load > 0 && o.now.Sub(m.doomedSince) >= doomedProbe {
		m.doomedSince, w.probe = o.now, true
		return
	}
	o.refuse(w, doomedError(m.spec.Name, load, queue, w.deadline.Sub(o.now)))
}

// ahead counts the waiters of the same model that come before one.
func (o *owner) ahead(w *waiter) int {
	n := 0
	for _, other := range w.model.queue {
		if other != w && o.order(other, w) < 0 {
			n++
		}
	}
	return n
}

func doomedError(name string, load, queue, left time.Duration) *errs.Error {
	return errs.New(errs.DeadlineExceeded,
		"model %q needs about %s to load and %s of queue, the deadline leaves %s: allow at least %s, or load the model ahead",
		name, round(load), round(queue), round(left), round(load+queue+time.Second)).With("model", name)
}

// round makes a duration readable.
func round(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
