package lifecycle

import (
	"math"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Callers share the cores. A caller that has used more than its share of them lately,
// at a priority or above it, comes after the others with requests of that priority,
// whatever that is: the priority orders its own requests then. Of several callers
// with requests of the same priority, the one comes first that has used the cores
// less at that priority. It does not matter which models they use, and how many
// requests each of them has. What a caller uses counts by its weight: a caller of weight
// two may use twice as much.

// coresHalfLife is how fast the use of cores is forgotten. What a caller has used
// before another one came counts hardly longer than a few of its requests take.
const coresHalfLife = 3 * time.Second

// sharesSlack is the part of a turn of all cores that a caller may have used above its
// share. Without it, callers with as much work as each other would take turns at each
// request.
const sharesSlack = 8

// levels has a number for each priority.
type levels [gatewayv1.Priority_PRIORITY_CRITICAL + 1]time.Duration

// coreUse is how long callers have used cores lately: each at a priority or above it.
type coreUse struct {
	at      time.Time
	callers map[string]*levels
}

// count counts the time since the last count, in which the models' work has not
// changed.
func (u *coreUse) count(now time.Time, models []*model) {
	passed := now.Sub(u.at)
	if passed <= 0 {
		return
	}
	u.at = now
	factor := math.Exp2(-passed.Seconds() / coresHalfLife.Seconds())
	for caller, l := range u.callers {
		for p := range l {
			l[p] = time.Duration(float64(l[p]) * factor)
		}
		if l[0] < time.Millisecond {
			delete(u.callers, caller)
		}
	}
	for _, m := range models {
		cores := min(m.spec.Threads, m.opts.CPUThreads)
		if m.proc == nil || m.proc.working == 0 || cores == 0 {
			continue
		}
		each := passed * time.Duration(cores) / time.Duration(m.proc.working)
		for l := range m.proc.leases {
			if l.pauses == 0 {
				u.add(l.caller, l.priority, each/time.Duration(max(1, l.weight)))
			}
		}
	}
}

func (u *coreUse) add(caller string, priority gatewayv1.Priority, d time.Duration) {
	l := u.callers[caller]
	if l == nil {
		l = &levels{}
		u.callers[caller] = l
	}
	for p := range l {
		if gatewayv1.Priority(p) <= priority { //nolint:gosec // an index of the array
			l[p] += d
		}
	}
}

// coreShares is what a plan knows of the use of cores.
type coreShares struct {
	// used is how long callers have used cores lately; those without are not in it.
	used map[string]levels
	// share is how long each caller with work may have used them.
	share time.Duration
}

// shares returns the shares of the callers that have requests now; turn is a turn of
// all cores.
func (u *coreUse) shares(models []*model, turn time.Duration) coreShares {
	working := map[string]struct{}{}
	for _, m := range models {
		if m.spec.Threads == 0 {
			continue // its requests use no cores
		}
		for _, w := range m.queue {
			working[w.claimant()] = struct{}{}
		}
		if m.proc == nil {
			continue
		}
		for l := range m.proc.leases {
			if l.pauses == 0 {
				working[l.caller] = struct{}{}
			}
		}
	}
	var all time.Duration
	for _, l := range u.callers {
		all += l[0]
	}
	s := coreShares{used: map[string]levels{}, share: all/time.Duration(max(1, len(working))) + turn/sharesSlack}
	for caller := range working {
		if l := u.callers[caller]; l != nil {
			s.used[caller] = *l
		}
	}
	return s
}

// claimant is the caller whose request waits.
func (w *waiter) claimant() string {
	if w.lease != nil {
		return w.lease.caller
	}
	return w.caller
}

// exceeds reports whether a caller has used more than its share of the cores at a
// priority or above it.
func (s *coreShares) exceeds(caller string, p gatewayv1.Priority) bool {
	return s.used[caller][p] > s.share
}

// usedAt is how long a caller has used the cores at a rank or above it.
func (s *coreShares) usedAt(caller string, rank gatewayv1.Priority) time.Duration {
	return s.used[caller][min(raised(rank), gatewayv1.Priority_PRIORITY_CRITICAL)]
}

// favour reports whether the caller of a request that waits has used the cores less,
// at the request's priority or above it, than those of the requests of the highest
// rank that are at work: by more than a turn, so that they do not alternate faster.
func (s *coreShares) favour(w *waiterView, p *processView, turn time.Duration) bool {
	highest := lowered(gatewayv1.Priority_PRIORITY_UNSPECIFIED, true)
	for _, l := range p.leases {
		if !l.paused {
			highest = max(highest, l.rank())
		}
	}
	least := s.usedAt(w.claimant, w.effective) + turn
	for _, l := range p.leases {
		if !l.paused && l.rank() == highest && s.usedAt(l.caller, w.effective) <= least {
			return false
		}
	}
	return true
}

// belowAll is by how much the priority of a caller is lowered that exceeds its share:
// below all others, and in the same order as before.
const belowAll = gatewayv1.Priority_PRIORITY_CRITICAL + 1

// lowered returns the rank that a priority has.
func lowered(p gatewayv1.Priority, exceeds bool) gatewayv1.Priority {
	if exceeds {
		return p - belowAll
	}
	return p
}

// raised returns the priority of a rank.
func raised(rank gatewayv1.Priority) gatewayv1.Priority {
	if rank < 0 {
		return rank + belowAll
	}
	return rank
}
