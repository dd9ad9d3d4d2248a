package lifecycle

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// used is what is charged to all models.
func (o *owner) used() int64 {
	var sum int64
	for _, m := range o.models {
		sum += m.charged()
	}
	return sum
}

// residents describes the models that hold memory to the policy, for a demand
// of a priority.
func (o *owner) residents(p gatewayv1.Priority) []resident {
	var out []resident
	for _, m := range o.models {
		if m.proc != nil {
			out = append(out, o.resident(m, p))
		}
	}
	return out
}

func (o *owner) resident(m *model, demanded gatewayv1.Priority) resident {
	p := m.proc
	r := resident{
		name:       m.spec.Name,
		charged:    p.charged(),
		priority:   m.spec.Priority,
		busy:       p.phase == phaseLoading && !p.late || len(p.leases) > 0 || len(m.queue) > 0,
		pinned:     m.pinned,
		leaving:    p.leaving(),
		reloadCost: o.reloadSeconds(m) * m.use.value(o.now),
		lastUsed:   p.lastUsed,
	}
	r.fresh = p.phase == phaseLoading && !p.late || p.awaited
	for _, w := range m.queue {
		if w.owed && w.priority >= demanded {
			r.fresh = true
		}
	}
	r.settled = p.phase == phaseReady && o.now.Sub(p.readyAt) >= o.turn(p)
	r.obstinate = o.now.Before(p.reprieved.until)
	if m.spec.IdleTimeout > 0 {
		r.idleAt = p.lastUsed.Add(m.spec.IdleTimeout)
		if r.busy || p.phase == phaseLoading {
			r.idleAt = o.now.Add(m.spec.IdleTimeout)
		}
		r.pastIdle = p.phase != phaseLoading && !r.busy && !o.now.Before(r.idleAt)
	}
	return r
}

// turn is how long a model stays once it is ready before a handover may drain
// it: long enough that loads do not take most of the time.
func (o *owner) turn(p *process) time.Duration {
	return max(o.opts.HandoverAfter, p.readyAt.Sub(p.started))
}

// reloadSeconds is the learned load time, or a guess by size.
func (o *owner) reloadSeconds(m *model) float64 {
	if d := m.size.learned.loadTime(); d > 0 {
		return d.Seconds()
	}
	return 1 + float64(m.charged())/(1<<30)
}

// place gives memory to the models that requests wait for, in the order of
// their first waiters.
func (o *owner) place() {
	var heads []*waiter
	for _, m := range o.models {
		if m.proc != nil || len(m.queue) == 0 {
			continue
		}
		if !m.size.fresh {
			if !m.size.looking {
				m.size.looking = true
				o.fx.size(m)
			}
			continue
		}
		heads = append(heads, o.head(m))
	}
	slices.SortFunc(heads, o.order)
	var claimed int64
	for _, w := range heads {
		claimed += o.placeOne(w.model, claimed)
	}
}

// placeOne tries to give a model its memory and returns the bytes that it
// claims of what others give back.
func (o *owner) placeOne(m *model, claimed int64) int64 {
	need, source := o.required(m)
	d := demand{need: need, priority: m.spec.Priority, claimed: claimed}
	since := o.now
	for i, w := range m.queue {
		if i == 0 || w.priority > d.priority {
			d.priority = w.priority
		}
		if w.arrival.Before(since) {
			since = w.arrival
		}
	}
	residents := o.residents(d.priority)
	plan := planEviction(d, residents, o.budget)
	if plan.outcome == outcomeWait {
		o.refuseHopeless(m, d, residents)
		if len(m.queue) == 0 {
			return 0
		}
		if o.now.Sub(since) >= o.opts.HandoverAfter {
			if plan = planHandover(d, residents, o.budget); plan.outcome == outcomeWait {
				return o.insist(d, residents)
			}
		}
	}
	switch plan.outcome {
	case outcomeNever:
		o.refuseAll(m, exceedsError(m, need, source, o.budget))
		m.size.fresh = false
		return 0
	case outcomeFits:
		o.launch(m, need)
		return 0
	case outcomeFitsAfter:
		for _, v := range plan.victims {
			o.evict(o.byName[v.name], m)
		}
		return need
	default:
		return 0
	}
}

// insist claims the memory for a demand that has waited its turn while models
// of its priority or below hold it that have not had theirs: without a claim,
// smaller ones would go on filling the gaps before it. Nothing is claimed of
// what is held for longer, be it by requests that a handover could not wait for.
func (o *owner) insist(d demand, residents []resident) int64 {
	d.claimed = 0
	for i, r := range residents {
		residents[i].pinned = r.pinned || r.busy && r.obstinate
	}
	if at, ever := earliestRoom(d, residents, o.budget, o.now); !ever || at.After(o.now) {
		return 0
	}
	return d.need
}

// refuseHopeless refuses the waiters for whom no memory can become free before
// their deadline: it is pinned, or held by models of higher priority that will
// not be past their idle time by then.
func (o *owner) refuseHopeless(m *model, d demand, residents []resident) {
	d.claimed = 0
	at, ever := earliestRoom(d, residents, o.budget, o.now)
	for _, w := range slices.Clone(m.queue) {
		limit := w.arrival.Add(o.opts.MaxWait)
		if !w.deadline.IsZero() && w.deadline.Before(limit) {
			limit = w.deadline
		}
		if !ever || at.After(limit) {
			o.refuse(w, o.busyError(m, d.need, at, ever))
		}
	}
}

// busyError names who holds the memory.
func (o *owner) busyError(m *model, need int64, at time.Time, ever bool) *errs.Error {
	retry, advice := 30*time.Second, "unload or unpin one of them"
	if ever {
		retry = max(at.Sub(o.now), time.Second)
		advice = "try again in " + round(retry).String() + ", or unload one of them"
	}
	return errs.New(errs.MemoryBusy, "model %q needs %s and %s of the budget's %s are free; the rest is held by %s: %s",
		m.spec.Name, humanBytes(need), humanBytes(max(0, o.budget-o.used())), humanBytes(o.budget), o.holders(m), advice).
		WithRetryAfter(retry).With("model", m.spec.Name)
}

// holders lists who holds memory and why it stays.
func (o *owner) holders(except *model) string {
	var names []string
	for _, m := range o.models {
		if m.proc != nil && m != except {
			names = append(names, m.spec.Name+" ("+humanBytes(m.charged())+", "+o.keptBecause(m, except.spec.Priority)+")")
		}
	}
	return strings.Join(names, ", ")
}

func exceedsError(m *model, need int64, source string, budget int64) *errs.Error {
	return errs.New(errs.ModelExceedsBudget,
		"model %q needs %s (%s) and the whole budget is %s: raise MAX_MEMORY_MB to at least %d, or use a smaller model or context",
		m.spec.Name, humanBytes(need), source, humanBytes(budget), (need+(1<<20)-1)>>20).
		With("model", m.spec.Name)
}

func humanBytes(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

// sampled takes note of a measurement.
func (o *owner) sampled(p *process, bytes int64) {
	if p.model.proc != p {
		return
	}
	changed := bytes != p.measured
	p.measured = bytes
	p.peak = max(p.peak, bytes)
	if changed {
		o.observeMemory(p)
	}
	o.holdBudget()
	o.checkProgress(p)
}

func (o *owner) observeMemory(p *process) {
	o.opts.Observer.MemoryChanged(p.model.spec.Name, p.reserved, p.measured, p.peak)
}

// grower tells whether a process may get no new requests because it outgrew its
// reservation while the budget is exceeded.
func (o *owner) grower(p *process) bool { return p.measured > p.reserved && o.used() > o.budget }

// holdBudget brings what is charged back under the budget after a process grew:
// the largest grower goes if it is idle; else idle models that it may displace
// go, if that is enough; else it is ended.
func (o *owner) holdBudget() {
	for {
		excess := o.used() - o.budget
		var grower *process
		for _, m := range o.models {
			p := m.proc
			if p == nil {
				continue
			}
			if p.phase == phaseStopping {
				excess -= p.charged()
			} else if p.measured > p.reserved && (grower == nil || cmp.Compare(p.measured-p.reserved, grower.measured-grower.reserved) > 0) {
				grower = p
			}
		}
		if excess <= 0 || grower == nil {
			return
		}
		o.shrink(grower, excess)
	}
}

func (o *owner) shrink(grower *process, excess int64) {
	m := grower.model
	residents := slices.DeleteFunc(o.residents(m.spec.Priority), func(r resident) bool {
		return r.name == m.spec.Name
	})
	if grower.phase == phaseLoading || len(grower.leases) > 0 {
		plan := choose(excess, evictable(m.spec.Priority, residents))
		if plan.outcome == outcomeFitsAfter {
			for _, v := range plan.victims {
				o.kill(o.byName[v.name].proc, &ending{
					reason: gatewayv1.EvictionReason_EVICTION_REASON_OVER_BUDGET,
					detail: "model " + m.spec.Name + " outgrew its reservation",
				}, nil)
			}
			return
		}
	}
	end := &ending{
		reason: gatewayv1.EvictionReason_EVICTION_REASON_OVER_BUDGET,
		detail: "it grew to " + humanBytes(grower.measured) + ", " + humanBytes(grower.measured-grower.reserved) + " above its reservation",
	}
	if grower.phase == phaseLoading && grower.measured > o.budget {
		// Another load would end as this one: it goes into the cool-down.
		end.cause = exceedsError(m, grower.measured, "measured while it loaded", o.budget)
	}
	o.kill(grower, end, errs.New(errs.MemoryBusy,
		"model %q was ended: it grew to %s where %s were reserved, and the memory budget of %s was exceeded; %s",
		m.spec.Name, humanBytes(grower.measured), humanBytes(grower.reserved), humanBytes(o.budget), o.nextReservation(grower)).
		With("model", m.spec.Name))
}

// nextReservation tells what follows from the growth of a process that is
// ended for it.
func (o *owner) nextReservation(grower *process) string {
	if grower.peak < o.budget {
		return "the next load reserves at least " + humanBytes(grower.peak)
	}
	return "the next load reserves the whole budget, without room for other models; raise MAX_MEMORY_MB if it is no leak"
}
