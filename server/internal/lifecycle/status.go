package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func stateName(s gatewayv1.ModelState) string {
	return strings.TrimPrefix(s.String(), "MODEL_STATE_")
}

func priorityName(p gatewayv1.Priority) string {
	return strings.TrimPrefix(p.String(), "PRIORITY_")
}

// totals returns the numbers of the whole manager.
func (o *owner) totals() Totals {
	t := Totals{
		UsedBytes:   o.used(),
		BudgetBytes: o.budget,
		ThreadsUsed: o.threadsUsed(),
		Threads:     o.opts.CPUThreads,
		Draining:    o.draining,
	}
	for _, m := range o.models {
		t.Requests += m.stats.requests
		t.Errors += m.stats.errors
	}
	return t
}

// ranks is each evictable model's place in the order of eviction, from 1.
func (o *owner) ranks() map[string]int32 {
	ranks := map[string]int32{}
	top := gatewayv1.Priority_PRIORITY_CRITICAL
	for i, r := range evictable(top, o.residents(top)) {
		ranks[r.name] = int32(i + 1)
	}
	return ranks
}

func (o *owner) describeAll() []*gatewayv1.Model {
	ranks := o.ranks()
	out := make([]*gatewayv1.Model, 0, len(o.models))
	for _, m := range o.models {
		out = append(out, o.describe(m, ranks))
	}
	return out
}

// describe tells everything about a model.
func (o *owner) describe(m *model, ranks map[string]int32) *gatewayv1.Model {
	d := &gatewayv1.Model{
		Name:         m.spec.Name,
		Engine:       m.spec.Worker.Engine,
		Tasks:        m.spec.Tasks,
		State:        m.stateNow(),
		Memory:       o.memory(m),
		Priority:     m.spec.Priority,
		Pinned:       m.pinned,
		IdleTimeout:  durationpb.New(m.spec.IdleTimeout),
		RequestCount: m.stats.requests,
		ErrorCount:   m.stats.errors,
		LoadCount:    m.stats.loads,
		EvictionRank: ranks[m.spec.Name],
		Note:         m.spec.Note,
	}
	for _, w := range m.queue {
		if w.kind == waitLease {
			d.QueuedCount++
		}
	}
	if t := m.size.learned.loadTime(); t > 0 {
		d.ExpectedLoadDuration = durationpb.New(t)
	}
	if m.stats.served > 0 {
		d.AverageLatency = durationpb.New(m.stats.latency / time.Duration(m.stats.served))
		d.LastUsedTime = timestamppb.New(m.stats.lastUsed)
	}
	if m.lastEviction != nil {
		d.LastEviction = proto.CloneOf(m.lastEviction)
	}
	if f := m.failure; f != nil {
		d.Failure = &gatewayv1.LoadFailure{
			Reason:           f.err.Reason(),
			Message:          f.err.Message(),
			Time:             timestamppb.New(f.at),
			RetryTime:        timestamppb.New(f.retryAt),
			ConsecutiveCount: int32(f.count),
		}
	}
	o.describeProcess(m, d)
	return d
}

func (o *owner) describeProcess(m *model, d *gatewayv1.Model) {
	p := m.proc
	if p == nil {
		return
	}
	d.ActiveCount = int32(len(p.leases))
	if p.worker != nil {
		d.WorkerPid = int32(p.worker.PID())
	}
	if p.phase == phaseLoading {
		d.LoadProgress = o.fraction(p)
	}
	if p.phase == phaseReady && len(p.leases) == 0 && m.spec.IdleTimeout > 0 && !m.pinned {
		d.IdleRemaining = durationpb.New(max(0, m.spec.IdleTimeout-o.now.Sub(p.lastUsed)))
	}
}

// fraction is how far a load is: what the engine says, or, where it says
// nothing, the time gone by against the learned load time.
func (o *owner) fraction(p *process) float32 {
	f := p.loadFraction()
	if expected := p.model.size.learned.loadTime(); f == 0 && expected > 0 {
		f = min(0.95, float32(o.now.Sub(p.started).Seconds()/expected.Seconds()))
	}
	return f
}

func (o *owner) memory(m *model) *gatewayv1.ModelMemory {
	required, _ := o.required(m)
	mem := &gatewayv1.ModelMemory{
		DeclaredBytes:  m.spec.DeclaredBytes,
		EstimatedBytes: m.size.estimated,
		LearnedBytes:   m.size.learned.peak(),
		ReservedBytes:  required,
		ChargedBytes:   m.charged(),
	}
	if p := m.proc; p != nil {
		mem.ReservedBytes, mem.MeasuredBytes, mem.PeakBytes = p.reserved, p.measured, p.peak
	}
	return mem
}

// progress tells how far a model's load is.
func (o *owner) progress(name string) LoadProgress {
	m := o.byName[name]
	if m == nil {
		return LoadProgress{}
	}
	p := LoadProgress{State: m.stateNow()}
	switch p.State {
	case gatewayv1.ModelState_MODEL_STATE_LOADING:
		p.Fraction = o.fraction(m.proc)
		p.Remaining = o.loadTime(m)
	case gatewayv1.ModelState_MODEL_STATE_READY:
		p.Fraction = 1
	}
	return p
}

// explain answers PlanLoad.
func (o *owner) explain(m *model, priority gatewayv1.Priority, s *sizing) *gatewayv1.PlanLoadResponse {
	if s != nil {
		o.preview(m, *s)
	}
	if priority == gatewayv1.Priority_PRIORITY_UNSPECIFIED {
		priority = m.spec.Priority
	}
	need, source := o.required(m)
	if m.proc != nil {
		need = m.proc.reserved
	}
	resp := &gatewayv1.PlanLoadResponse{
		RequiredBytes:  need,
		RequiredSource: source,
		FreeBytes:      max(0, o.budget-o.used()),
		BudgetBytes:    o.budget,
	}
	if t := m.size.learned.loadTime(); t > 0 {
		resp.ExpectedLoadDuration = durationpb.New(t)
	}
	var plan evictionPlan
	if m.proc == nil {
		plan = planEviction(demand{need: need, priority: priority}, o.residents(priority), o.budget)
	}
	going := map[string]bool{}
	for i, v := range plan.victims {
		going[v.name] = true
		resp.Evictions = append(resp.Evictions, &gatewayv1.PlannedEviction{
			Name: v.name, FreedBytes: v.charged, Why: evictedBecause(i, v, o.now),
		})
	}
	for _, other := range o.models {
		if other != m && other.proc != nil && !going[other.spec.Name] {
			resp.Kept = append(resp.Kept, &gatewayv1.KeptModel{
				Name: other.spec.Name, ChargedBytes: other.charged(), Why: o.keptBecause(other, priority),
			})
		}
	}
	resp.Outcome, resp.Explanation = o.conclude(m, plan, need, source)
	return resp
}

func (o *owner) conclude(m *model, plan evictionPlan, need int64, source string) (gatewayv1.LoadOutcome, string) {
	free := humanBytes(o.budget - o.used())
	needs := fmt.Sprintf("%s needs %s (%s)", m.spec.Name, humanBytes(need), source)
	switch {
	case m.proc != nil && m.proc.leaving():
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_MUST_WAIT,
			m.spec.Name + " is being unloaded; it can be loaded again when its process is gone."
	case m.proc != nil:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_ALREADY_LOADED,
			fmt.Sprintf("%s is %s and holds %s.", m.spec.Name, strings.ToLower(stateName(m.stateNow())), humanBytes(m.charged()))
	case plan.outcome == outcomeNever:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_NEVER_FITS, exceedsError(m, need, source, o.budget).Message() + "."
	case plan.outcome == outcomeFits:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_FITS, fmt.Sprintf("%s and %s are free.", needs, free)
	case plan.outcome == outcomeFitsAfter && len(plan.victims) == 0:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_FITS_AFTER_EVICTION,
			fmt.Sprintf("%s and %s are free; it fits once the models that are being unloaded are gone.", needs, free)
	case plan.outcome == outcomeFitsAfter:
		names := make([]string, 0, len(plan.victims))
		for _, v := range plan.victims {
			names = append(names, v.name)
		}
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_FITS_AFTER_EVICTION,
			fmt.Sprintf("%s and %s are free; it fits once %s is evicted.", needs, free, strings.Join(names, " and "))
	default:
		return gatewayv1.LoadOutcome_LOAD_OUTCOME_MUST_WAIT,
			fmt.Sprintf("%s and %s are free; the rest is held by %s.", needs, free, o.holders(m))
	}
}

func evictedBecause(i int, r resident, now time.Time) string {
	since := round(now.Sub(r.lastUsed))
	if r.pastIdle {
		return fmt.Sprintf("past its idle time, unused for %s", since)
	}
	why := fmt.Sprintf("idle for %s, priority %s", since, priorityName(r.priority))
	if i == 0 {
		return why + ", the cheapest to bring back among the lowest priority"
	}
	return why
}

// keptBecause tells why a resident model would not be evicted for a request of
// a priority.
func (o *owner) keptBecause(m *model, priority gatewayv1.Priority) string {
	r := o.resident(m, priority)
	switch {
	case m.proc.leaving():
		return "being unloaded already"
	case m.proc.phase == phaseLoading:
		return "loading"
	case len(m.proc.leases) > 0:
		return fmt.Sprintf("at work on %d requests", len(m.proc.leases))
	case m.pinned:
		return "pinned"
	case r.busy:
		return fmt.Sprintf("%d requests wait for it", len(m.queue))
	case r.priority > priority && !r.pastIdle:
		return "of higher priority, " + priorityName(r.priority)
	default:
		return "not needed"
	}
}
