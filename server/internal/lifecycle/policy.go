package lifecycle

import (
	"cmp"
	"slices"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// resident is a model that holds memory, as the policy sees it.
type resident struct {
	name     string
	charged  int64
	priority gatewayv1.Priority
	// busy: it has leases, waiting requests, or is loading.
	busy   bool
	pinned bool
	// fresh: it has not yet served those that it was loaded for.
	fresh bool
	// leaving: it is draining or being stopped; its bytes come back anyway.
	leaving  bool
	pastIdle bool
	// settled: it has been ready for its turn, so a handover may drain it.
	settled bool
	// obstinate: its requests held up a handover, so the next one must wait.
	obstinate bool
	// reloadCost is the expected cost of its absence: load time times
	// likelihood of use.
	reloadCost float64
	lastUsed   time.Time
	// idleAt is when it will be past its idle time if no request comes from
	// now on; zero is never.
	idleAt time.Time
}

// demand is a load that needs memory.
type demand struct {
	need     int64
	priority gatewayv1.Priority
	// claimed is what demands ahead of this one will take.
	claimed int64
}

// outcome is what a demand can get.
type outcome int

const (
	// outcomeNever: more than the whole budget.
	outcomeNever outcome = iota
	// outcomeFits: into memory that is free now.
	outcomeFits
	// outcomeFitsAfter: once the victims, and those leaving, are gone.
	outcomeFitsAfter
	// outcomeWait: models that may not be evicted hold the memory.
	outcomeWait
)

// evictionPlan is the policy's answer. Victims are in the order of eviction.
type evictionPlan struct {
	outcome outcome
	victims []resident
}

// planEviction decides which idle models go to make room. It is pure. It never
// names a model that is busy, pinned, fresh or leaving, nor one of higher
// priority unless past its idle time; the victims are no more than needed; and
// with them gone the demand is within the budget. What does not fit evicts
// nobody.
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
	return choose(d.need-later, evictable(d.priority, residents))
}

// planHandover decides which models at work are drained for a demand that has
// waited its turn: those of its priority or below that are settled and neither
// fresh nor obstinate. Idle ones go first.
func planHandover(d demand, residents []resident, budget int64) evictionPlan {
	if d.need > budget {
		return evictionPlan{outcome: outcomeNever}
	}
	_, later := freeBytes(d, residents, budget)
	candidates := evictable(d.priority, residents)
	var working []resident
	for _, r := range residents {
		if r.busy && r.settled && !r.obstinate && !r.pinned && !r.fresh && !r.leaving && r.priority <= d.priority {
			working = append(working, r)
		}
	}
	slices.SortFunc(working, byValue)
	return choose(d.need-later, append(candidates, working...))
}

// earliestRoom tells when at the earliest the demand could fit if every model
// of its priority or below ended its work now and those above were not used
// again; false if never.
func earliestRoom(d demand, residents []resident, budget int64, now time.Time) (time.Time, bool) {
	_, later := freeBytes(d, residents, budget)
	type release struct {
		at    time.Time
		bytes int64
	}
	var releases []release
	for _, r := range residents {
		switch {
		case r.leaving || r.pinned:
		case r.priority <= d.priority || r.pastIdle:
			later += r.charged
		case !r.idleAt.IsZero():
			releases = append(releases, release{r.idleAt, r.charged})
		}
	}
	slices.SortFunc(releases, func(a, b release) int { return a.at.Compare(b.at) })
	at := now
	for _, r := range releases {
		if d.need <= later {
			break
		}
		later += r.bytes
		at = r.at
	}
	return at, d.need <= later
}

// freeBytes returns what the demand may take now, and once those leaving have
// gone and the demands ahead have taken theirs. The first is never above the
// second's claim: memory that is free but claimed is not free.
func freeBytes(d demand, residents []resident, budget int64) (now, later int64) {
	now = budget
	for _, r := range residents {
		now -= r.charged
		if r.leaving {
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
		if !r.busy && !r.pinned && !r.fresh && !r.leaving && (r.priority <= p || r.pastIdle) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, byValue)
	return out
}

// byValue orders by what goes first: past idle time, lower priority, cheaper to
// bring back, least recently used.
func byValue(a, b resident) int {
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

// choose takes candidates in order until missing bytes are found, then spares,
// from the most valuable down, those that turned out not to be needed.
func choose(missing int64, candidates []resident) evictionPlan {
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
