package lifecycle

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// totals returns the numbers of the whole manager.
func (o *owner) totals() Totals {
	s := o.snapshot()
	t := Totals{
		UsedBytes:    s.used(),
		BudgetBytes:  s.limits.budget,
		ThreadsUsed:  s.coresUsed(),
		Threads:      s.limits.cores,
		ShuttingDown: o.shuttingDown,
	}
	for _, m := range o.models {
		t.Requests += m.stats.requests
		t.Errors += m.stats.errors
	}
	return t
}

// Queue is what waits for a model, and what it works on.
type Queue struct {
	// Model is the model's name.
	Model string
	// Queued and Active count requests.
	Queued, Active int
	// OldestWait is how long the oldest queued request has waited; 0 for none.
	OldestWait time.Duration
}

// describeQueue returns what waits for the model, and what it works on.
func (m *model) describeQueue() Queue {
	q := Queue{Model: m.spec.Name}
	for _, w := range m.queue {
		if w.kind == waitLease {
			q.Queued++
			q.OldestWait = max(q.OldestWait, m.now.Sub(w.arrival))
		}
	}
	if m.proc != nil {
		q.Active = len(m.proc.leases)
	}
	return q
}

// evictionRanks returns each evictable model's place in the order of eviction,
// from 1.
func (o *owner) evictionRanks() map[string]int32 {
	ranks := map[string]int32{}
	top := gatewayv1.Priority_PRIORITY_CRITICAL
	for i, r := range evictable(top, o.snapshot().residents(top)) {
		ranks[r.name] = int32(i + 1)
	}
	return ranks
}

// describeAll describes the models in the order of the configuration.
func (o *owner) describeAll() []*gatewayv1.Model {
	ranks := o.evictionRanks()
	out := make([]*gatewayv1.Model, 0, len(o.models))
	for _, m := range o.models {
		out = append(out, m.describe(ranks[m.spec.Name]))
	}
	return out
}

// describe returns the public description of a model.
func (m *model) describe(evictionRank int32) *gatewayv1.Model {
	d := &gatewayv1.Model{
		Name:         m.spec.Name,
		Engine:       m.spec.Worker.Engine,
		Tasks:        m.spec.Tasks,
		State:        m.stateNow(),
		Memory:       m.describeMemory(),
		Priority:     m.spec.Priority,
		Pinned:       m.pinned,
		IdleTimeout:  durationpb.New(m.spec.IdleTimeout),
		RequestCount: m.stats.requests,
		ErrorCount:   m.stats.errors,
		LoadCount:    m.stats.loads,
		EvictionRank: evictionRank,
		Note:         m.spec.Note,
	}
	q := m.describeQueue()
	d.QueuedCount, d.ActiveCount = int32(q.Queued), int32(q.Active) //nolint:gosec // both are small
	if t := m.size.learned.loadTime(); t > 0 {
		d.ExpectedLoadDuration = durationpb.New(t)
	}
	if m.stats.served > 0 {
		d.AverageLatency = durationpb.New(m.stats.latency / time.Duration(m.stats.served))
		d.LastUsedTime = timestamppb.New(m.stats.lastUsed)
	}
	if m.lastUnload != nil {
		d.LastEviction = proto.CloneOf(m.lastUnload)
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
	if m.proc != nil {
		m.proc.describe(d)
	}
	return d
}

// describe adds what is known of the process to a model's description.
func (p *process) describe(d *gatewayv1.Model) {
	m := p.model
	if p.worker != nil {
		d.WorkerPid = int32(p.worker.PID())
	}
	if p.phase == phaseLoading {
		d.LoadProgress = p.loadFraction()
	}
	if p.phase == phaseReady && len(p.leases) == 0 && m.spec.IdleTimeout > 0 && !m.pinned {
		d.IdleRemaining = durationpb.New(max(0, m.spec.IdleTimeout-m.now.Sub(p.lastUsed)))
	}
}

func (m *model) describeMemory() *gatewayv1.ModelMemory {
	required, _ := m.required()
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

// loadProgress returns how far a model's load is.
func (m *model) loadProgress() LoadProgress {
	p := LoadProgress{State: m.stateNow()}
	switch p.State {
	case gatewayv1.ModelState_MODEL_STATE_LOADING:
		p.Fraction = m.proc.loadFraction()
		v := m.view()
		p.Remaining = v.timeToReady(m.now)
	case gatewayv1.ModelState_MODEL_STATE_READY:
		p.Fraction = 1
	}
	return p
}
