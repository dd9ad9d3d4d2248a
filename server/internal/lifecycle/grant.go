package lifecycle

import (
	"slices"
)

// grant gives leases to queued requests of models that are ready, in the order
// of the queue, as far as concurrency and cores allow. A model at work holds as
// many cores as it has threads, whatever the number of its leases: they share
// the threads. A request that joins a model at work needs no further cores, but
// must not prolong the wait of one that comes before it and waits for those
// cores: of higher priority, or overdue.
func (p *planner) grant() {
	for {
		m, w := p.nextGrant()
		if w == nil {
			return
		}
		p.decide(grant{model: m.name, waiter: w.seq})
	}
}

// grantable is a model and its first waiter that could get a lease if there are
// cores.
type grantable struct {
	model  *modelView
	waiter *waiterView
}

func (p *planner) nextGrant() (*modelView, *waiterView) {
	var heads []grantable
	for i := range p.models {
		m := &p.models[i]
		if w := p.grantable(m); w != nil {
			heads = append(heads, grantable{m, w})
		}
	}
	if len(heads) > 1 {
		slices.SortFunc(heads, func(a, b grantable) int { return compareWaiters(a.waiter, b.waiter) })
	}
	free := p.limits.cores - p.coresUsed()
	var blocked []*waiterView
	for _, h := range heads {
		switch {
		case h.model.threads > 0 && h.waiter.mustYield(blocked):
		case p.coresToStart(h.model) > free:
			blocked = append(blocked, h.waiter)
		default:
			return h.model, h.waiter
		}
	}
	return nil, nil
}

// grantable returns the first waiter of a model that could get a lease, or
// resume the one it has, if there are cores.
func (p *planner) grantable(m *modelView) *waiterView {
	proc := m.proc
	if proc == nil || len(m.queue) == 0 || proc.phase == phaseLoading || proc.phase == phaseStopping {
		return nil
	}
	// A process that exceeds its reservation gets no new requests while the
	// budget is exceeded.
	overBudget := proc.measured > proc.reserved && p.used() > p.limits.budget
	admits := proc.phase == phaseReady && len(proc.leases) < m.maxConcurrency && !p.shuttingDown && !overBudget
	return m.head(func(w *waiterView) bool {
		return w.kind == waitResume || (admits && w.kind == waitLease)
	})
}

// coresToStart is how many cores a model needs beyond those that it holds.
func (p *planner) coresToStart(m *modelView) int {
	if m.proc.working() > 0 {
		return 0
	}
	return p.coresOf(m)
}

// mustYield reports whether a request must wait for those that come before it
// and are short of cores.
func (w *waiterView) mustYield(blocked []*waiterView) bool {
	return slices.ContainsFunc(blocked, func(b *waiterView) bool { return b.overdue || b.effective > w.effective })
}
