package lifecycle

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// planLoad returns what a load of a model would do at a priority, and why. A
// look-up of its size, if not nil, is recorded first.
func (o *owner) planLoad(m *model, priority gatewayv1.Priority, size *sizing) *gatewayv1.PlanLoadResponse {
	if size != nil {
		m.preview(*size)
	}
	if priority == gatewayv1.Priority_PRIORITY_UNSPECIFIED {
		priority = m.spec.Priority
	}
	s := o.snapshot()
	return s.planLoad(s.model(m.spec.Name), priority)
}

func (s *snapshot) planLoad(m *modelView, priority gatewayv1.Priority) *gatewayv1.PlanLoadResponse {
	need := m.required
	var eviction evictionPlan
	if m.proc == nil {
		eviction = planEviction(demand{need: need, priority: priority}, s.residents(priority), s.limits.budget)
	} else {
		need = m.proc.reserved
	}
	resp := &gatewayv1.PlanLoadResponse{
		RequiredBytes:  need,
		RequiredSource: m.requiredFrom,
		FreeBytes:      s.free(),
		BudgetBytes:    s.limits.budget,
	}
	if m.loadTime > 0 {
		resp.ExpectedLoadDuration = durationpb.New(m.loadTime)
	}
	evicted := map[string]bool{}
	for i, v := range eviction.victims {
		evicted[v.name] = true
		resp.Evictions = append(resp.Evictions, &gatewayv1.PlannedEviction{
			Name: v.name, FreedBytes: v.charged, Why: evictedBecause(i, v, s.now),
		})
	}
	for i := range s.models {
		if other := &s.models[i]; other != m && other.proc != nil && !evicted[other.name] {
			resp.Kept = append(resp.Kept, &gatewayv1.KeptModel{
				Name: other.name, ChargedBytes: other.charged(), Why: s.keptBecause(other, priority),
			})
		}
	}
	resp.Outcome, resp.Explanation = s.conclude(m, eviction)
	return resp
}

// conclude sums a plan up in an outcome and a sentence.
func (s *snapshot) conclude(m *modelView, eviction evictionPlan) (gatewayv1.LoadOutcome, string) {
	switch p := m.proc; {
	case p == nil:
	case p.unloading():
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_MUST_WAIT,
			m.name + " is being unloaded; it can be loaded again when its process has ended."
	case p.phase == phaseLoading:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_ALREADY_LOADED, fmt.Sprintf("%s is loading and holds %s.", m.name, humanBytes(p.charged()))
	default:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_ALREADY_LOADED, fmt.Sprintf("%s is loaded and holds %s.", m.name, humanBytes(p.charged()))
	}
	needs := fmt.Sprintf("%s needs %s (%s) and %s are free", m.name, humanBytes(m.required), m.requiredFrom, humanBytes(s.free()))
	switch eviction.outcome {
	case outcomeNever:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_NEVER_FITS,
			exceedsBudgetError(m.name, m.required, m.requiredFrom, s.limits.budget).Message() + "."
	case outcomeFits:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_FITS, needs + "."
	case outcomeFitsAfter:
		after := "the models that are being unloaded have ended"
		if len(eviction.victims) > 0 {
			names := make([]string, 0, len(eviction.victims))
			for _, v := range eviction.victims {
				names = append(names, v.name)
			}
			after = strings.Join(names, " and ") + " is evicted"
			if len(names) > 1 {
				after = strings.Join(names, " and ") + " are evicted"
			}
		}
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_FITS_AFTER_EVICTION, needs + "; it fits once " + after + "."
	default:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_MUST_WAIT, needs + "; the rest is held by " + s.holders(m) + "."
	}
}
