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
	d := demand{need: m.required, priority: priority}
	need := m.required
	residents := s.residents(priority)
	var eviction evictionPlan
	if m.proc == nil {
		eviction = planEviction(d, residents, s.limits.budget)
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
	for _, v := range eviction.victims {
		evicted[v.name] = true
		resp.Evictions = append(resp.Evictions, &gatewayv1.PlannedEviction{
			Name: v.name, FreedBytes: v.charged, Why: chosenBecause(v, evictable(priority, residents), s.now),
		})
	}
	for i := range s.models {
		if other := &s.models[i]; other != m && other.proc != nil && !evicted[other.name] {
			resp.Kept = append(resp.Kept, &gatewayv1.KeptModel{
				Name: other.name, ChargedBytes: other.charged(), Why: s.whyKept(other, priority),
			})
		}
	}
	resp.Outcome, resp.Explanation = s.conclude(m, d, eviction)
	return resp
}

// conclude sums a plan up in an outcome and a sentence.
func (s *snapshot) conclude(m *modelView, d demand, eviction evictionPlan) (gatewayv1.LoadOutcome, string) {
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
		switch names := victimNames(eviction.victims); len(eviction.victims) {
		case 0:
		case 1:
			after = names + " is evicted"
		default:
			after = names + " are evicted"
		}
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_FITS_AFTER_EVICTION, needs + "; it fits once " + after + "."
	default:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_MUST_WAIT, needs + "; the rest is held by " + s.holders(m, d.priority) + "." + s.handoverLater(d)
	}
}

// handoverLater says which models would be unloaded by a handover, once a request
// has waited long enough; "" if none.
func (s *snapshot) handoverLater(d demand) string {
	later := *s
	later.now = s.now.Add(s.limits.handoverAfter)
	eviction := planHandover(d, later.residents(d.priority), s.limits.budget)
	if eviction.outcome != outcomeFitsAfter {
		return ""
	}
	return fmt.Sprintf(" A request that has waited %s gets the memory of %s by a handover: no new requests start there, and each is unloaded when its current ones have ended.",
		round(s.limits.handoverAfter), victimNames(eviction.victims))
}

func victimNames(victims []resident) string {
	names := make([]string, 0, len(victims))
	for _, v := range victims {
		names = append(names, v.name)
	}
	return strings.Join(names, " and ")
}
