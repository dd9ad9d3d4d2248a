package lifecycle

import (
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// holdBudget brings what is charged back below the budget after processes grew
// beyond their reservations, starting with the one that did so most.
func (p *planner) holdBudget() {
	for {
		m, excess := p.mostOvergrown()
		if m == nil || excess <= 0 {
			return
		}
		p.shrink(m, excess)
	}
}

// mostOvergrown returns the model that exceeds its reservation most, nil if none
// does, and by how much the budget will still be exceeded once the processes
// being stopped have ended.
func (p *planner) mostOvergrown() (*modelView, int64) {
	var most *modelView
	excess := p.used() - p.limits.budget
	for i := range p.models {
		m := &p.models[i]
		switch {
		case m.proc == nil:
		case m.proc.phase == phaseStopping:
			excess -= m.proc.charged()
		case m.proc.growth() > 0 && (most == nil || m.proc.growth() > most.proc.growth()):
			most = m
		}
	}
	return most, excess
}

// growth is how many bytes a process measures above its reservation.
func (p *processView) growth() int64 { return p.measured - p.reserved }

// shrink ends a model that has outgrown its reservation. If it is loading or at
// work, and idle models that it may evict hold enough, those are ended instead.
func (p *planner) shrink(m *modelView, excess int64) {
	if m.proc.phase == phaseLoading || len(m.proc.leases) > 0 {
		others := slices.DeleteFunc(p.residents(m.priority), func(r resident) bool { return r.name == m.name })
		eviction := chooseVictims(excess, evictable(m.priority, others))
		for _, v := range eviction.victims {
			p.decide(kill{
				model:    v.name,
				reason:   gatewayv1.EvictionReason_EVICTION_REASON_OVER_BUDGET,
				forModel: m.name,
				detail: "model " + m.name + " grew beyond its reservation and the memory budget was exceeded; " +
					evictedBecause(v, p.now),
			})
		}
		if eviction.outcome == outcomeFitsAfter {
			return
		}
	}
	var loadErr *errs.Error
	if m.proc.phase == phaseLoading && m.proc.measured > p.limits.budget {
		// Another load would end in the same way: the model goes into its cooldown.
		loadErr = exceedsBudgetError(m.name, m.proc.measured, "measured while it loaded", p.limits.budget)
	}
	p.decide(kill{
		model:   m.name,
		reason:  gatewayv1.EvictionReason_EVICTION_REASON_OVER_BUDGET,
		detail:  grownDetail(m.proc),
		err:     grownError(m.name, m.proc, p.limits.budget),
		loadErr: loadErr,
	})
}
