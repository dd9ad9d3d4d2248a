package lifecycle

import (
	"cmp"
	"slices"
	"time"
)

// grant gives leases to queued requests of models that are ready, in the order
// of the queue, as far as concurrency and cores allow. A model at work holds as
// many cores as it has threads, whatever the number of its leases: they share
// the threads. A request that joins a model at work needs no further cores, but
// must not prolong the wait of one that comes before it and waits for those
// cores: of higher priority, or overdue. Low priorities have their turns; see
// turns.go. A model at work may be suspended for another one; see suspend.go.
func (p *planner) grant() {
	for {
		m := p.nextGrant()
		if m == nil {
			return
		}
		turn := m.coresTurn(p.now)
		p.decide(grant{
			model: m.model.name, waiter: m.next.seq, rank: m.waiter.priority, counts: turn.counted && m.model.threads > 0, turn: turn,
		})
	}
}

// grantable is a model that could grant a lease if there are cores.
type grantable struct {
	model *modelView
	// waiter is the first in the order of the queue: the model gets cores in its
	// order. next gets the lease: it differs if it is the turn of a lower priority.
	waiter, next *waiterView
	// turn: the model comes first whatever the priority of its waiter.
	turn bool
}

func (p *planner) nextGrant() *grantable {
	var heads []grantable
	for i := range p.models {
		m := &p.models[i]
		if w := p.grantable(m); w != nil {
			heads = append(heads, grantable{model: m, waiter: w, next: p.nextOf(m, w)})
		}
	}
	p.markTurn(heads)
	slices.SortFunc(heads, p.compareGrantable)
	free := p.limits.cores - p.coresUsed()
	var blocked []grantable
	for i, h := range heads {
		switch {
		case h.model.threads > 0 && h.waiter.mustYield(blocked):
		case p.coresToStart(h.model) > free && !p.makeRoom(&h, p.coresToStart(h.model)-free):
			blocked = append(blocked, h)
		default:
			return &heads[i]
		}
	}
	if len(blocked) > 0 {
		p.endTurns()
	}
	return nil
}

// coresTurn is the model's turn of the cores if it gets them now. A suspended model
// that gets them because no other wants them now may be suspended again at once.
func (g *grantable) coresTurn(now time.Time) coresTurn {
	t := coresTurn{began: now, rank: g.waiter.effective, waited: g.waiter.runnable}
	if g.turn {
		t.rank = ownTurn
	}
	t.counted = g.turn || !g.model.proc.suspended || g.next.kind != waitResume
	return t
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
	admits := proc.phase == phaseReady && len(proc.leases) < m.maxConcurrency && !overBudget
	place := p.keptPlace(m)
	return m.head(func(w *waiterView) bool {
		return w.kind == waitResume || (admits && w.kind == waitLease && !place.withheld(w.caller, p.now))
	})
}

// nextOf returns the waiter that gets a model's next lease, given the first in
// the order of the queue.
func (p *planner) nextOf(m *modelView, first *waiterView) *waiterView {
	if first.kind == waitLease {
		if w := p.firstDue(m); w != nil {
			return w
		}
	}
	return first
}

// markTurn marks the model that comes first because it is its turn of the cores:
// the one whose waiter came first of those of low priority that are overdue.
func (p *planner) markTurn(heads []grantable) {
	var first *grantable
	for i := range heads {
		h := &heads[i]
		due := h.model.threads > 0 && h.waiter.overdue && p.turns.due(h.waiter.priority)
		if due && (first == nil || h.waiter.seq < first.waiter.seq) {
			first = h
		}
	}
	if first != nil {
		first.turn = true
	}
}

func (s *snapshot) compareGrantable(a, b grantable) int {
	switch {
	case a.turn:
		return -1
	case b.turn:
		return 1
	case a.waiter.effective != b.waiter.effective:
		return cmp.Compare(b.waiter.effective, a.waiter.effective)
	default:
		rank := a.waiter.effective
		return cmp.Or(cmp.Compare(s.shares.usedAt(a.waiter.claimant, rank), s.shares.usedAt(b.waiter.claimant, rank)), compareWaiters(a.waiter, b.waiter))
	}
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
func (w *waiterView) mustYield(blocked []grantable) bool {
	return slices.ContainsFunc(blocked, func(b grantable) bool {
		return b.turn || b.waiter.overdue || b.waiter.effective > w.effective
	})
}
