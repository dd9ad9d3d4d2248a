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
	d := demand{need: m.required, priority: m.demanded(), claimed: claimed}
	oldest := p.now
	for _, w := range m.queue {
		if w.arrival.Before(oldest) {
			oldest = w.arrival
		}
	}
	residents := p.yielding(m, d.priority, p.residents(d.priority))
	waited := p.now.Sub(oldest)
	eviction := planEviction(d, residents, p.limits.budget)
	if eviction.outcome == outcomeWait {
		if p.refuseUnplaceable(m, d, residents) {
			if len(m.queue) == 0 {
				return 0
			}
			// Those that are left may be of lower priority.
			return p.placeModel(m, claimed)
		}
		if waited < p.limits.handoverAfter {
			return 0
		}
		eviction = planHandover(d, residents, p.limits.budget)
	}
	switch eviction.outcome {
	case outcomeWait:
		return claimMemory(d, residents, p.limits.budget, p.now)
	case outcomeNever:
		err := exceedsBudgetError(m.name, d.need, m.requiredFrom, p.limits.budget)
		for len(m.queue) > 0 {
			p.decide(refuse{model: m.name, waiter: m.queue[0].seq, err: err})
		}
	case outcomeFits:
		p.decide(launch{model: m.name, bytes: d.need})
	case outcomeFitsAfter:
		for _, v := range eviction.victims {
			p.evict(v, m, waited)
		}
		return d.need
	}
	return 0
}

// evict drains a model for another one, whose first request has waited for so
// long. Leases whose requests have been silent for too long end at once. The
// decision is carried out by process.drain, and when the process has ended
// recorded by process.unloaded (exit.go) as the model's last unload.
func (p *planner) evict(victim resident, forModel *modelView, waited time.Duration) {
	m := p.model(victim.name)
	p.decide(drain{
		model:         m.name,
		reason:        gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE,
		forModel:      forModel.name,
		handoverUntil: p.now.Add(p.handoverLimit(m)),
		detail:        pressureDetail(victim, forModel.name, waited, p.now),
	})
	p.endSilenceOf(m)
}

// refuseUnplaceable refuses the waiters for which no memory can become free
// before their deadline: it is pinned, or held by models of higher priority that
// will not be past their idle timeout by then. It reports whether it refused any.
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
			err = p.memoryBusyError(m, d.priority, at, ever)
		}
		p.decide(refuse{model: m.name, waiter: w.seq, err: err, noMemory: true})
	}
	return err != nil
}

// planEviction decides which idle models are evicted to make room: only those
// that keptBecause does not protect, and no more than needed. A demand that does
// not fit evicts nothing.
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

// planHandover decides which models are drained for a demand that has waited
// long enough: idle ones first, then those in use that canHandOver accepts.
func planHandover(d demand, residents []resident, budget int64) evictionPlan {
	if d.need > budget {
		return evictionPlan{outcome: outcomeNever}
	}
	_, later := freeBytes(d, residents, budget)
	var inUse []resident
	for _, r := range residents {
		if canHandOver(r, d.priority) {
			inUse = append(inUse, r)
		}
	}
	slices.SortFunc(inUse, compareForEviction)
	return chooseVictims(d.need-later, append(evictable(d.priority, residents), inUse...))
}

// claimMemory returns how many bytes a demand claims that has waited long enough
// for a handover but cannot get one yet. Without a claim, smaller models would
// take each piece of memory that becomes free, and the demand would never fit.
// The claim is 0 if the memory cannot become free now: others may use it then.
// A model whose last handover failed counts as one that keeps its memory.
func claimMemory(d demand, residents []resident, budget int64, now time.Time) int64 {
	d.claimed = 0
	residents = slices.Clone(residents)
	for i, r := range residents {
		residents[i].pinned = r.pinned || r.busy() && r.blockedHandover
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

// keptBecause returns why a model is not evicted for a demand of a priority;
// "" if it may be. The rules of eviction and of handover use it, and the texts
// that explain them.
func keptBecause(r resident, priority gatewayv1.Priority) string {
	switch {
	case r.unloading:
		return "being unloaded"
	case r.loading:
		return "loading"
	case r.leases > 0:
		return "running " + count(r.leases, "request")
	case r.pinned:
		return "pinned"
	case r.queued > 0:
		return count(r.queued, "queued request")
	case r.unserved:
		return "just loaded, has not served the requests that it was loaded for"
	case r.priority > priority && !r.pastIdle:
		return "higher priority, " + priorityName(r.priority)
	default:
		return ""
	}
}

// canHandOver reports whether a model in use may be handed over to a demand of a
// priority: it may be evicted except for its requests, it is past its minimum
// residence, and no earlier handover of it failed shortly before.
func canHandOver(r resident, priority gatewayv1.Priority) bool {
	withoutRequests := r
	withoutRequests.leases, withoutRequests.queued = 0, 0
	return r.busy() && r.pastMinResidence && !r.blockedHandover && keptBecause(withoutRequests, priority) == ""
}

// evictable returns the idle models that a demand of a priority may evict, in
// the order of eviction.
func evictable(priority gatewayv1.Priority, residents []resident) []resident {
	var out []resident
	for _, r := range residents {
		if keptBecause(r, priority) == "" {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, compareForEviction)
	return out
}

// compareForEviction is the order of eviction: first the models past their idle
// timeout, then the lower priority, then the lower reloadCost, then the least
// recently used.
func compareForEviction(a, b resident) int {
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
// then spares those that turned out not to be needed, beginning with the last.
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
