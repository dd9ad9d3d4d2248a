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
	// loading: the model is being loaded. A load that continues only because a
	// deadline passed (process.missedDeadline) does not count: the model may be
	// evicted like an idle one.
	loading bool
	// leases are the requests that it serves, queued those that wait for it.
	leases, queued int
	pinned         bool
	// unserved: requests that waited for its load have not got their leases. None
	// has got one yet or, for a demand of their priority or lower, some have not.
	unserved bool
	// unloading: it is draining or being stopped; its bytes come back anyway.
	unloading bool
	// pastIdle: it has been idle for its idle timeout, so that priority does not
	// protect it any more.
	pastIdle bool
	// pastMinResidence: it has been ready for long enough to be handed over.
	pastMinResidence bool
	// blockedHandover: its requests took too long for a handover, so the next one
	// must wait.
	blockedHandover bool
	// reloadCost estimates what its absence costs: the seconds of a load times
	// the recent uses, a count that halves every useHalfLife.
	reloadCost float64
	lastUsed   time.Time
	// idleAt is when its idle timeout will have passed if no request arrives from
	// now on; zero is never.
	idleAt time.Time
}

// busy reports whether the model is at work, or will be. A model that is not
// busy is idle.
func (r resident) busy() bool { return r.loading || r.leases > 0 || r.queued > 0 }

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
	r := resident{
		name:             m.name,
		charged:          p.charged(),
		priority:         m.priority,
		loading:          p.phase == phaseLoading && !p.missedDeadline,
		leases:           len(p.leases),
		queued:           len(m.queue),
		pinned:           m.pinned,
		unserved:         p.unserved,
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
		if r.busy() || p.phase == phaseLoading {
			r.idleAt = s.now.Add(m.idleTimeout)
		}
		r.pastIdle = p.phase != phaseLoading && !r.busy() && !s.now.Before(r.idleAt)
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
