package lifecycle

import (
	"time"
)

const (
	// handoverServices is how many mean requests a handover gives the leases of
	// its victim to end in.
	handoverServices = 3
	// handoverMax bounds that time, and the back-off after a handover that
	// failed, unless the model's minimum residence is longer.
	handoverMax = time.Minute
)

// handoverBackoff delays the next handover of a process after one that failed
// because its requests did not end in time.
type handoverBackoff struct {
	// failedAt is when the last one failed, until is the end of the delay that
	// followed.
	failedAt, until time.Time
	delay           time.Duration
}

// next returns the back-off after one more failure: twice as long, at least
// limit.
func (b handoverBackoff) next(now time.Time, limit time.Duration) handoverBackoff {
	delay := min(max(2*b.delay, limit), max(handoverMax, limit))
	return handoverBackoff{failedAt: now, until: now.Add(delay), delay: delay}
}

// resetHandoverBackoff ends the back-off once no lease is left that delayed the
// handover.
func (p *process) resetHandoverBackoff() {
	for l := range p.leases {
		if l.granted.Before(p.backoff.failedAt) {
			return
		}
	}
	p.backoff = handoverBackoff{}
}

// minResidence is how long a model stays once it is ready before a handover may
// drain it: long enough that loads do not take most of the time.
func minResidence(started, readyAt time.Time, handoverAfter time.Duration) time.Duration {
	return max(handoverAfter, readyAt.Sub(started))
}

func (s *snapshot) minResidence(p *processView) time.Duration {
	return minResidence(p.started, p.readyAt, s.limits.handoverAfter)
}

// handoverLimit is how long a handover may drain a process: its minimum
// residence or a few of its requests. Without a limit, one request that never
// ends would block both models: the one that drains and the one that waits.
func handoverLimit(minResidence, serviceTime time.Duration) time.Duration {
	return max(minResidence, min(handoverServices*serviceTime, handoverMax))
}

func (s *snapshot) handoverLimit(m *modelView) time.Duration {
	return handoverLimit(s.minResidence(m.proc), m.serviceTime)
}

func (p *process) handoverLimit() time.Duration {
	return handoverLimit(minResidence(p.started, p.readyAt, p.model.opts.HandoverAfter), p.model.stats.service)
}

// cancelHandovers takes models back into service that drain for a model that
// does not need their memory any more, or whose requests did not end in time.
func (p *planner) cancelHandovers() {
	for i := range p.models {
		m := &p.models[i]
		if m.proc == nil || m.proc.phase != phaseDraining || m.proc.handover.forModel == "" {
			continue
		}
		other := p.model(m.proc.handover.forModel)
		switch {
		case other.proc != nil || len(other.queue) == 0:
			p.decide(cancelHandover{
				model:  m.name,
				detail: "stays loaded: model " + other.name + " no longer needs its memory",
			})
		case !p.now.Before(m.proc.handover.until):
			p.decide(cancelHandover{
				model:   m.name,
				detail:  "stays loaded: its requests did not end in time to free its memory for model " + other.name,
				backOff: true,
			})
		}
	}
}
