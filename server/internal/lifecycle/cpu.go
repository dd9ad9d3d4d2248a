package lifecycle

import (
	"context"
	"slices"
)

// threadsUsed is how many inference threads are at work.
func (o *owner) threadsUsed() int {
	n := 0
	for _, m := range o.models {
		if m.proc != nil {
			n += m.proc.tokens(o.opts.CPUThreads)
		}
	}
	return n
}

// grant gives leases to waiting requests of models that are ready, in the order
// of the queue, as far as concurrency and cores allow. A model at work holds as
// many cores as it has threads, whatever the number of its leases: they share
// the threads. A request that joins a model at work needs no further cores, but
// may not prolong the wait of one that comes before it and waits for those
// cores: of higher priority, or overdue.
func (o *owner) grant() {
	for {
		w := o.nextGrant()
		if w == nil {
			return
		}
		o.give(w)
	}
}

func (o *owner) nextGrant() *waiter {
	var heads []*waiter
	for _, m := range o.models {
		if w := o.grantable(m); w != nil {
			heads = append(heads, w)
		}
	}
	if len(heads) > 1 {
		slices.SortFunc(heads, o.order)
	}
	free := o.opts.CPUThreads - o.threadsUsed()
	var blocked []*waiter
	for _, w := range heads {
		need := o.coresToStart(w.model.proc)
		uses := w.model.spec.Threads > 0
		switch {
		case uses && o.gated(w, blocked):
		case need > free:
			blocked = append(blocked, w)
		default:
			return w
		}
	}
	return nil
}

// grantable returns the first waiter of a model that could get a lease, or go
// on with the one it has, if there are cores.
func (o *owner) grantable(m *model) *waiter {
	p := m.proc
	if p == nil || len(m.queue) == 0 || p.phase == phaseLoading || p.phase == phaseStopping {
		return nil
	}
	admits := p.phase == phaseReady && len(p.leases) < m.spec.MaxConcurrency && !o.draining && !o.grower(p)
	return o.first(m, func(w *waiter) bool {
		return w.kind == waitResume || (admits && w.kind == waitLease)
	})
}

// coresToStart is how many cores a model needs beyond those that it holds.
func (o *owner) coresToStart(p *process) int {
	if p.working > 0 {
		return 0
	}
	return min(p.model.spec.Threads, o.opts.CPUThreads)
}

// gated tells whether a request must let those pass that come before it and
// are short of cores.
func (o *owner) gated(w *waiter, blocked []*waiter) bool {
	for _, b := range blocked {
		if o.overdue(b) || b.aged(o.now, o.opts.AgingStep) > w.aged(o.now, o.opts.AgingStep) {
			return true
		}
	}
	return false
}

// give hands a waiter its lease, or lets it go on with the one it has.
func (o *owner) give(w *waiter) {
	m, p := w.model, w.model.proc
	o.observeWork(p)
	p.working++
	if w.kind == waitResume {
		w.lease.pauses, w.lease.working = 0, o.now
		o.resumed(w.lease)
		return
	}
	p.awaited = false
	m.use.add(o.now)
	l := &Lease{
		mgr:     o.mgr,
		proc:    p,
		worker:  p.worker,
		arrived: w.arrival,
		granted: o.now,
		working: o.now,
		live:    w.live,
	}
	l.life, l.lose = context.WithCancelCause(context.Background())
	if p.readyAt.After(w.arrival) {
		from := w.arrival
		if p.started.After(from) {
			from = p.started
		}
		l.load = p.readyAt.Sub(from)
	}
	p.leases[l] = struct{}{}
	o.resolve(w, admission{lease: l})
}
