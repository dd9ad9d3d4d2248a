package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// demand is a load that needs memory.
type demand struct {
	need     int64
	priority gatewayv1.Priority
	// claimed is what demands before this one will take.
	claimed int64
}

// outcome is what a demand can get.
type outcome int

const (
	// outcomeNever: it needs more than the whole budget.
	outcomeNever outcome = iota
	// outcomeFits: it fits into memory that is free now.
	outcomeFits
	// outcomeFitsAfter: it fits once the victims, and the models that are being
	// unloaded, have ended.
	outcomeFitsAfter
	// outcomeWait: models that must not be evicted hold the memory.
	outcomeWait
)

// evictionPlan is what a demand can get, and the models to evict for it, in that
// order.
type evictionPlan struct {
	outcome outcome
	victims []resident
}

// place gives memory to the models that requests wait for, in the order of
// their first waiters.
func (p *planner) place() {
	var waiting []*modelView
	for i := range p.models {
		switch m := &p.models[i]; {
		case m.proc != nil || len(m.queue) == 0:
		case m.sizeKnown:
			waiting = append(waiting, m)
		case !m.lookingUp:
			p.decide(lookUpSize{model: m.name})
		}
	}
	slices.SortFunc(waiting, func(a, b *modelView) int { return compareWaiters(a.head(anyWaiter), b.head(anyWaiter)) })
	var claimed int64
	for _, m := range waiting {
		claimed += p.placeModel(m, claimed)
	}
}

// placeModel launches a model if it fits, else evicts idle models for it, else
// hands over models at work. It returns the bytes that the model claims of what
// others give back: what comes after it in the queue must not take them.
func (p *planner) placeModel(m *modelView, claimed int64) int64 {
	d := demand{need: m.required, priority: m.queue[0].priority, claimed: claimed}
	oldest := p.now
	for _, w := range m.queue {
		d.priority = max(d.priority, w.priority)
		if w.arrival.Before(oldest) {
			oldest = w.arrival
		}
	}
	residents := p.yielding(m, d.priority, p.residents(d.priority))
	eviction := planEviction(d, residents, p.limits.budget)
	if eviction.outcome == outcomeWait {
		if p.refuseUnplaceable(m, d, residents) {
			if len(m.queue) == 0 {
				return 0
			}
			// Those that are left may be of lower priority.
			return p.placeModel(m, claimed)
		}
		if p.now.Sub(oldest) >= p.limits.handoverAfter {
			if eviction = planHandover(d, residents, p.limits.budget); eviction.outcome == outcomeWait {
				return claimMemory(d, residents, p.limits.budget, p.now)
			}
		}
	}
	switch eviction.outcome {
	case outcomeNever:
		err := exceedsBudgetError(m.name, d.need, m.requiredFrom, p.limits.budget)
		for len(m.queue) > 0 {
			p.decide(refuse{model: m.name, waiter: m.queue[0].seq, err: err})
		}
	case outcomeFits:
		p.decide(launch{model: m.name, bytes: d.need})
	case outcomeFitsAfter:
		for _, v := range eviction.victims {
			p.evict(p.model(v.name), m)
		}
		return d.need
	}
	return 0
}

// evict drains a model for another one. Leases whose requests have been silent
// for too long end at once.
func (p *planner) evict(victim, forModel *modelView) {
	p.decide(drain{
		model:    victim.name,
		reason:   gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE,
		handover: handover{forModel: forModel.name, until: p.now.Add(p.handoverLimit(victim))},
		detail:   "model " + forModel.name + " needed the memory",
	})
	p.endSilenceOf(victim)
}

// refuseUnplaceable refuses the waiters for which no memory can become free
// before their deadline: it is pinned, or held by models of higher priority that
// will not be past their idle time by then. It reports whether it refused any.
func (p *planner) refuseUnplaceable(m *modelView, d demand, residents []resident) bool {
	d.claimed = 0
	at, ever := earliestRoom(d, residents, p.limits.budget, p.now)
	var err *errs.Error
	for _, w := range slices.Clone(m.queue) {
		limit := w.arrival.Add(p.limits.maxWait)
		if !w.deadline.IsZero() && w.deadline.Before(limit) {
			limit = w.deadline
		}
		if ever && !at.After(limit) {
			continue
		}
		if err == nil {
			err = p.memoryBusyError(m, at, ever)
		}
		p.decide(refuse{model: m.name, waiter: w.seq, err: err, noMemory: true})
	}
	return err != nil
}

// planEviction decides which idle models are evicted to make room. It never
// names a model that is busy, pinned, unserved or unloading, nor one of higher
// priority unless it is past its idle time. The victims are no more than needed,
// and without them the demand is within the budget. A demand that does not fit
// evicts nothing.
func planEviction(d demand, residents []resident, budget int64) evictionPlan {
	if d.need > budget {
		return evictionPlan{outcome: outcomeNever}
	}
	now, later := freeBytes(d, residents, budget)
	if d.need <= later {
		if d.need <= now {
			return evictionPlan{outcome: outcomeFits}
		}
		return evictionPlan{outcome: outcomeFitsAfter}
	}
	return chooseVictims(d.need-later, evictable(d.priority, residents))
}

// planHandover decides which models at work are drained for a demand that has
// waited long enough: those of its priority or below that are past their minimum
// residence, and neither unserved nor blocked for handovers. Idle ones go first.
func planHandover(d demand, residents []resident, budget int64) evictionPlan {
	if d.need > budget {
		return evictionPlan{outcome: outcomeNever}
	}
	_, later := freeBytes(d, residents, budget)
	candidates := evictable(d.priority, residents)
	var working []resident
	for _, r := range residents {
		if r.busy && r.pastMinResidence && !r.blockedHandover && !r.pinned && !r.unserved && !r.unloading && r.priority <= d.priority {
			working = append(working, r)
		}
	}
	slices.SortFunc(working, compareValue)
	return chooseVictims(d.need-later, append(candidates, working...))
}

// claimMemory returns the bytes that a demand claims which has waited for long
// while models of its priority or below hold the memory that may not be handed
// over yet: without a claim, smaller models would keep filling the gaps before
// it. Nothing is claimed of what stays held, be it by requests that a handover
// could not wait for.
func claimMemory(d demand, residents []resident, budget int64, now time.Time) int64 {
	d.claimed = 0
	residents = slices.Clone(residents)
	for i, r := range residents {
		residents[i].pinned = r.pinned || r.busy && r.blockedHandover
	}
	if at, ever := earliestRoom(d, residents, budget, now); !ever || at.After(now) {
		return 0
	}
	return d.need
}

// earliestRoom returns when at the earliest the demand could fit: if every model
// of its priority or below ended its work now and those above were not used
// again. It returns false if it never could.
func earliestRoom(d demand, residents []resident, budget int64, now time.Time) (time.Time, bool) {
	_, later := freeBytes(d, residents, budget)
	var idle []resident
	for _, r := range residents {
		switch {
		case r.unloading || r.pinned:
		case r.priority <= d.priority || r.pastIdle:
			later += r.charged
		case !r.idleAt.IsZero():
			idle = append(idle, r)
		}
	}
	slices.SortFunc(idle, func(a, b resident) int { return a.idleAt.Compare(b.idleAt) })
	at := now
	for _, r := range idle {
		if d.need <= later {
			break
		}
		later += r.charged
		at = r.idleAt
	}
	return at, d.need <= later
}

// freeBytes returns what the demand may take now, and what it may take once the
// models being unloaded have ended and the demands before it are satisfied.
func freeBytes(d demand, residents []resident, budget int64) (now, later int64) {
	now = budget
	for _, r := range residents {
		now -= r.charged
		if r.unloading {
			later += r.charged
		}
	}
	return now, now + later - d.claimed
}

// evictable returns the idle models that a request of this priority may evict,
// in the order of eviction.
func evictable(p gatewayv1.Priority, residents []resident) []resident {
	var out []resident
	for _, r := range residents {
		if !r.busy && !r.pinned && !r.unserved && !r.unloading && (r.priority <= p || r.pastIdle) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, compareValue)
	return out
}

// compareValue orders residents for eviction: past idle time first, then lower
// priority, then lower cost of a reload, then least recently used.
func compareValue(a, b resident) int {
	if a.pastIdle != b.pastIdle {
		if a.pastIdle {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(a.priority, b.priority),
		cmp.Compare(a.reloadCost, b.reloadCost),
		a.lastUsed.Compare(b.lastUsed),
		cmp.Compare(a.name, b.name),
	)
}

// chooseVictims takes candidates in order until the missing bytes are found. It
// then spares those that turned out not to be needed, the most valuable first.
func chooseVictims(missing int64, candidates []resident) evictionPlan {
	var victims []resident
	for _, r := range candidates {
		if missing <= 0 {
			break
		}
		victims = append(victims, r)
		missing -= r.charged
	}
	if missing > 0 {
		return evictionPlan{outcome: outcomeWait}
	}
	for i := len(victims) - 1; i >= 0; i-- {
		if missing+victims[i].charged <= 0 {
			missing += victims[i].charged
			victims = slices.Delete(victims, i, i+1)
		}
	}
	return evictionPlan{outcome: outcomeFitsAfter, victims: victims}
}
