package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// decision is one step that the planner has decided on. Models are given by
// name, requests and leases by their identifiers.
type decision interface {
	// predict changes a snapshot as the decision will change the state: the
	// planner's next decisions build on it.
	predict(s *snapshot)
	// carryOut changes the state and starts what has to happen outside; see
	// carryout.go.
	carryOut(o *owner)
}

type (
	// lookUpSize has the model's size determined.
	lookUpSize struct{ model string }

	// forgetSize marks the model's size as out of date.
	forgetSize struct{ model string }

	// launch reserves bytes for a model and starts its worker.
	launch struct {
		model string
		bytes int64
	}

	// drain unloads a model once its requests have ended. A load is cut short.
	drain struct {
		model  string
		reason gatewayv1.EvictionReason
		// forModel is the model that needs the memory; empty if there is none.
		forModel string
		// handoverUntil is how long requests may delay the drain for forModel.
		handoverUntil time.Time
		detail        string
	}

	// cancelHandover takes a draining model back into service.
	cancelHandover struct {
		model  string
		detail string
		// backOff: its requests took too long, so the next handover must wait.
		backOff bool
	}

	// kill ends a model's worker at once.
	kill struct {
		model  string
		reason gatewayv1.EvictionReason
		// forModel is the model whose growth takes the memory; empty if there is
		// none.
		forModel string
		detail   string
		// err ends the leases; nil if there are none.
		err *errs.Error
		// loadErr ends the wait of those that wait for the load; with nil they
		// continue to wait.
		loadErr *errs.Error
	}

	// grant gives a queued request its lease, or lets it resume its work.
	grant struct {
		model  string
		waiter uint64
		// rank is the priority in whose order the model got its cores. counts: they
		// count as a turn now.
		rank   gatewayv1.Priority
		counts bool
		// turn is that of a model that begins to hold cores.
		turn coresTurn
	}

	// refuse ends a queued request with an error.
	refuse struct {
		model  string
		waiter uint64
		err    *errs.Error
		// noMemory: no memory for the model becomes free in time.
		noMemory bool
	}

	// endSilent ends a lease whose request sends no audio.
	endSilent struct {
		model string
		lease uint64
		err   *errs.Error
	}

	// reload queues a load of a pinned model that was lost.
	reload struct{ model string }
)

func (d lookUpSize) predict(s *snapshot) { s.model(d.model).lookingUp = true }

func (d forgetSize) predict(s *snapshot) { s.model(d.model).sizeKnown = false }

func (d launch) predict(s *snapshot) {
	m := s.model(d.model)
	m.proc = &processView{phase: phaseLoading, reserved: d.bytes, started: s.now}
	m.starvedSince = time.Time{}
	for i := range m.queue {
		m.queue[i].age(m.starvedSince, s)
	}
}

func (d drain) predict(s *snapshot) {
	p := s.model(d.model).proc
	switch {
	case p.phase == phaseStopping:
	case p.phase == phaseLoading || len(p.leases) == 0:
		p.phase, p.handover = phaseStopping, handover{}
	default:
		p.phase, p.handover = phaseDraining, handover{forModel: d.forModel, until: d.handoverUntil}
	}
}

func (d cancelHandover) predict(s *snapshot) {
	m := s.model(d.model)
	p := m.proc
	p.phase, p.handover = phaseReady, handover{}
	if d.backOff {
		p.backoff = p.backoff.next(s.now, s.handoverLimit(m))
	}
}

func (d kill) predict(s *snapshot) {
	m := s.model(d.model)
	for len(m.proc.leases) > 0 {
		m.dropLease(m.proc.leases[0].id)
	}
	m.proc.phase, m.proc.handover = phaseStopping, handover{}
}

func (d grant) predict(s *snapshot) {
	m := s.model(d.model)
	w := m.queue[slices.IndexFunc(m.queue, func(w waiterView) bool { return w.seq == d.waiter })]
	if m.proc.working() == 0 {
		m.proc.turn = d.turn
	}
	if d.counts {
		s.turns.granted(d.rank, m.maxConcurrency)
	}
	suspended := m.proc.suspended
	m.proc.suspended = false
	m.resume(func(r waiterView) bool { return suspended || r.lease == w.lease })
	if w.kind == waitResume {
		return
	}
	m.turns.granted(w.priority, 1)
	m.callerServed(w, s)
	m.uses++
	m.proc.unserved = false
	m.proc.leases = append(m.proc.leases, leaseView{
		id: w.seq, granted: s.now, live: w.live, priority: w.priority, caller: w.caller, exceeds: w.exceeds,
	})
	slices.SortFunc(m.proc.leases, func(a, b leaseView) int { return cmp.Compare(a.id, b.id) })
	m.removeWaiters(func(w waiterView) bool { return w.seq == d.waiter })
}

func (d refuse) predict(s *snapshot) {
	m := s.model(d.model)
	if d.noMemory {
		m.starvedSince = earlier(m.starvedSince, s.now)
	}
	m.removeWaiters(func(w waiterView) bool { return w.seq == d.waiter })
}

func (d endSilent) predict(s *snapshot) {
	m := s.model(d.model)
	m.dropLease(d.lease)
	if m.proc.phase == phaseDraining && len(m.proc.leases) == 0 {
		m.proc.phase, m.proc.handover = phaseStopping, handover{}
	}
}

func (d reload) predict(s *snapshot) {
	m := s.model(d.model)
	s.lastSeq++
	m.reloadDue = s.now.Add(m.reloadDelay)
	m.queue = append(m.queue, waiterView{
		seq: s.lastSeq, kind: waitLoad, priority: m.priority, effective: m.priority, amongCallers: m.priority,
		arrival: s.now, since: s.now, runnable: s.now,
	})
}

// resume lets requests that wait to resume their work do so.
func (m *modelView) resume(which func(waiterView) bool) {
	m.removeWaiters(func(w waiterView) bool {
		if w.kind != waitResume || !which(w) {
			return false
		}
		i := slices.IndexFunc(m.proc.leases, func(l leaseView) bool { return l.id == w.lease })
		m.proc.leases[i].paused = false
		return true
	})
}

// dropLease removes a lease and the requests that wait to resume it.
func (m *modelView) dropLease(id uint64) {
	p := m.proc
	p.leases = slices.DeleteFunc(p.leases, func(l leaseView) bool { return l.id == id })
	m.removeWaiters(func(w waiterView) bool { return w.lease == id })
	p.suspended = p.suspended && slices.ContainsFunc(m.queue, func(w waiterView) bool { return w.kind == waitResume })
	if !slices.ContainsFunc(p.leases, func(l leaseView) bool { return l.granted.Before(p.backoff.failedAt) }) {
		p.backoff = handoverBackoff{}
	}
}

func (m *modelView) removeWaiters(which func(waiterView) bool) {
	m.queue = slices.DeleteFunc(m.queue, which)
}
