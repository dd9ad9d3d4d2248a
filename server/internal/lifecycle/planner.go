package lifecycle

import (
	"slices"
	"time"
)

// planner decides what happens next. It works on its snapshot: each decision is
// applied to it at once, so that the next ones take it into account.
type planner struct {
	*snapshot
	decisions []decision
}

// plan returns what the state of a snapshot calls for, in the order in which it
// must be carried out. It depends on nothing but the snapshot, and leaves in it
// the state that will result.
//
// The order of the rules matters: what exceeds the budget or has timed out ends
// first, so that the others can use what it frees, and leases are granted before
// memory is planned, so that a model with a ready request counts as busy.
//
// Four things end a model without the planner: an unload by request (unload.go),
// the shutdown (shutdown.go), an exit or crash of its process (exit.go), and a
// hang that shows when a request ends (lease.go, release).
func plan(s *snapshot) []decision {
	p := &planner{snapshot: s}
	p.holdBudget()
	p.endTimedOut()
	p.endSilence()
	p.cancelHandovers()
	p.reloadPinned()
	p.grant()
	p.place()
	p.unloadIdle()
	p.boundQueues()
	return p.decisions
}

// decide adds a decision.
func (p *planner) decide(d decision) {
	d.predict(p.snapshot)
	p.decisions = append(p.decisions, d)
}

// endTimedOut ends the workers that make no progress, and the waits that have
// lasted too long.
func (p *planner) endTimedOut() {
	for i := range p.models {
		m := &p.models[i]
		if proc := m.proc; proc != nil {
			active := proc.phase == phaseLoading || proc.working() > 0 && proc.phase != phaseStopping
			if active && proc.stalled >= m.progressTimeout {
				p.decide(killHung(m.name, proc.stalled))
			}
			if proc.phase == phaseLoading {
				continue
			}
		}
		for j := 0; j < len(m.queue); {
			w := &m.queue[j]
			if waited := p.now.Sub(w.arrival); waited >= p.limits.maxWait && w.kind != waitResume {
				p.decide(refuse{model: m.name, waiter: w.seq, err: p.waitedTooLongError(m, waited)})
				continue
			}
			j++
		}
	}
}

// nextWake is how long until time alone changes what the planner would decide.
func (s *snapshot) nextWake() time.Duration {
	next := time.Hour
	at := func(t time.Time) {
		if d := t.Sub(s.now); d > 0 && d < next {
			next = d
		}
	}
	for i := range s.models {
		m := &s.models[i]
		if len(m.queue) > 0 {
			at(s.keptPlace(m).until)
		}
		for _, w := range m.queue {
			waited := s.now.Sub(w.since)
			at(w.arrival.Add(s.limits.maxWait))
			at(w.arrival.Add(s.limits.handoverAfter))
			at(w.runnable.Add(s.limits.cpuQuantum))
			at(w.since.Add(waited.Truncate(s.limits.agingStep) + s.limits.agingStep))
		}
		if m.proc == nil && len(m.queue) > 0 {
			for j := range s.models {
				if r := &s.models[j]; r.proc != nil {
					at(s.yieldsAt(m, r))
				}
			}
		}
		if m.awaitsReload() {
			at(m.reloadDue)
		}
		if m.proc != nil {
			s.wakeForProcess(m, at)
		}
	}
	return next
}

func (s *snapshot) anyWaits() bool {
	return slices.ContainsFunc(s.models, func(m modelView) bool { return len(m.queue) > 0 })
}

func (s *snapshot) wakeForProcess(m *modelView, at func(time.Time)) {
	p := m.proc
	if p.phase == phaseDraining && p.handover.forModel != "" {
		at(p.handover.until)
	}
	for _, l := range p.leases {
		if !l.silentSince.IsZero() {
			at(l.silentSince.Add(s.limits.silence))
		}
	}
	if m.holdsCores() && s.anyWaits() {
		at(p.turn.began.Add(s.limits.cpuQuantum))
	}
	if p.phase == phaseReady {
		at(p.readyAt.Add(s.minResidence(p)))
		at(p.backoff.until)
		if m.idleTimeout > 0 {
			at(p.lastUsed.Add(m.idleTimeout))
		}
	}
	if p.phase == phaseLoading || p.working() > 0 {
		at(s.now.Add(m.progressTimeout - p.stalled))
	}
}
