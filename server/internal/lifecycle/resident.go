package lifecycle

import (
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// resident is a model that holds memory, with what matters for evicting it.
type resident struct {
	name     string
	charged  int64
	priority gatewayv1.Priority
	// busy: it has leases, waiting requests, or is loading.
	busy   bool
	pinned bool
	// unserved: it has not yet served those that it was loaded for.
	unserved bool
	// unloading: it is draining or being stopped; its bytes come back anyway.
	unloading bool
	pastIdle  bool
	// pastMinResidence: it has been ready for long enough to be handed over.
	pastMinResidence bool
	// blockedHandover: its requests took too long for a handover, so the next one
	// must wait.
	blockedHandover bool
	// reloadCost is the expected cost of its absence: load time times likelihood
	// of use.
	reloadCost float64
	lastUsed   time.Time
	// idleAt is when it will be past its idle time if no request arrives from now
	// on; zero is never.
	idleAt time.Time
}

// residents returns the models that hold memory, as a demand of a priority sees
// them.
func (s *snapshot) residents(demanded gatewayv1.Priority) []resident {
	var out []resident
	for i := range s.models {
		if m := &s.models[i]; m.proc != nil {
			out = append(out, s.resident(m, demanded))
		}
	}
	return out
}

func (s *snapshot) resident(m *modelView, demanded gatewayv1.Priority) resident {
	p := m.proc
	loading := p.phase == phaseLoading && !p.missedDeadline
	r := resident{
		name:             m.name,
		charged:          p.charged(),
		priority:         m.priority,
		busy:             loading || len(p.leases) > 0 || len(m.queue) > 0,
		pinned:           m.pinned,
		unserved:         loading || p.unserved,
		unloading:        p.unloading(),
		pastMinResidence: p.phase == phaseReady && s.now.Sub(p.readyAt) >= s.minResidence(p),
		blockedHandover:  s.now.Before(p.backoff.until),
		reloadCost:       m.reloadSeconds() * m.uses,
		lastUsed:         p.lastUsed,
	}
	for _, w := range m.queue {
		if w.waitedForLoad && w.priority >= demanded {
			r.unserved = true
		}
	}
	if m.idleTimeout > 0 {
		r.idleAt = p.lastUsed.Add(m.idleTimeout)
		if r.busy || p.phase == phaseLoading {
			r.idleAt = s.now.Add(m.idleTimeout)
		}
		r.pastIdle = p.phase != phaseLoading && !r.busy && !s.now.Before(r.idleAt)
	}
	return r
}

// reloadSeconds is the learned load time, or a guess by size.
func (m *modelView) reloadSeconds() float64 {
	if m.loadTime > 0 {
		return m.loadTime.Seconds()
	}
	return 1 + float64(m.charged())/(1<<30)
}
