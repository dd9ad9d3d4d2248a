package lifecycle

import (
	"context"
	"time"
)

// The owner carries the planner's decisions out. Each method does what predict
// does to a snapshot (decision.go), and what has to happen outside.

func (d lookUpSize) carryOut(o *owner) {
	m := o.byName[d.model]
	m.size.lookingUp = true
	o.fx.size(m)
}

func (d forgetSize) carryOut(o *owner) { o.byName[d.model].size.known = false }

func (d launch) carryOut(o *owner) {
	m := o.byName[d.model]
	m.starvedSince = time.Time{}
	m.launch(d.bytes, o.snapshot().free())
}

func (d drain) carryOut(o *owner) {
	o.byName[d.model].proc.drain(&ending{reason: d.reason, detail: d.detail, forModel: d.forModel, handoverUntil: d.handoverUntil})
}

func (d cancelHandover) carryOut(o *owner) {
	p := o.byName[d.model].proc
	if d.backOff {
		p.backoff = p.backoff.next(o.now, p.handoverLimit())
	}
	p.restore(d.detail)
}

func (d kill) carryOut(o *owner) {
	o.byName[d.model].proc.kill(&ending{reason: d.reason, detail: d.detail, forModel: d.forModel, loadErr: d.loadErr}, d.err)
}

func (d grant) carryOut(o *owner) {
	m := o.byName[d.model]
	w := m.waiter(d.waiter)
	p := m.proc
	p.observeWork()
	if p.working == 0 {
		p.turn = d.turn
	}
	if d.counts {
		o.turns.granted(d.rank, m.spec.MaxConcurrency)
	}
	if w.kind == waitResume {
		w.lease.proceed()
	}
	p.proceedAll()
	if w.kind == waitResume {
		return
	}
	p.working++
	p.unserved = false
	m.turns.granted(w.priority, 1)
	next := m.callerServed(w)
	m.use.add(o.now)
	l := newLease(o.mgr, w, p, next)
	p.leases[l] = struct{}{}
	p.served = true
	w.resolve(admission{lease: l})
}

// newLease makes the lease of a request on a process that is ready.
func newLease(mgr *Manager, w *waiter, p *process, next turn) *Lease {
	now := p.model.now
	life, lose := context.WithCancelCause(context.Background())
	return &Lease{
		id:       w.seq,
		mgr:      mgr,
		proc:     p,
		worker:   p.worker,
		arrived:  w.arrival,
		granted:  now,
		working:  now,
		live:     w.live,
		priority: w.priority,
		caller:   w.caller,
		turn:     next,
		weight:   w.weight,
		load:     p.loadWithin(w.arrival),
		life:     life,
		lose:     lose,
	}
}

// loadWithin is how much of the process's load took place after a request had
// arrived.
func (p *process) loadWithin(arrival time.Time) time.Duration {
	if !p.readyAt.After(arrival) {
		return 0
	}
	return p.readyAt.Sub(latest(arrival, p.started))
}

func (d refuse) carryOut(o *owner) {
	m := o.byName[d.model]
	if d.noMemory {
		m.starvedSince = earlier(m.starvedSince, o.now)
	}
	m.waiter(d.waiter).refuse(d.err)
}

func (d endSilent) carryOut(o *owner) {
	p := o.byName[d.model].proc
	for l := range p.leases {
		if l.id == d.lease {
			l.end(d.err)
		}
	}
	p.stopIfDrained()
}

func (d reload) carryOut(o *owner) {
	m := o.byName[d.model]
	m.reload.tries++
	m.reload.due = o.now.Add(o.opts.cooldown(m.reload.tries))
	o.enqueue(&waiter{
		model: m, kind: waitLoad, priority: m.spec.Priority, arrival: o.now, result: make(chan admission, 1),
	})
}
