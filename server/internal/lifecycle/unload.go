package lifecycle

import (
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// unloadIdle ends loads whose callers have all left by their own choice, and
// models past their idle timeout. It forgets sizes that no request waits for: they
// may be out of date when the next one arrives.
func (p *planner) unloadIdle() {
	for i := range p.models {
		m := &p.models[i]
		switch {
		case len(m.queue) > 0:
		case m.proc == nil:
			if m.sizeKnown {
				p.decide(forgetSize{model: m.name})
			}
		case m.proc.phase == phaseLoading && !m.proc.missedDeadline:
			p.decide(drain{model: m.name, detail: "every caller that waited for the load has left"})
		case m.proc.phase == phaseReady && len(m.proc.leases) == 0 && !m.pinned && m.idleTimeout > 0 &&
			p.now.Sub(m.proc.lastUsed) >= m.idleTimeout:
			p.decide(drain{
				model:  m.name,
				reason: gatewayv1.EvictionReason_EVICTION_REASON_IDLE,
				detail: "idle for " + m.idleTimeout.String(),
			})
		}
	}
}

// unload unpins a model and drains it; done gets the bytes that came back.
func (m *model) unload(done chan int64) {
	unpinned := m.pinned
	m.pinned, m.reload = false, reloadState{}
	if m.proc == nil {
		if m.failure != nil {
			m.clearFailure()
		}
		done <- 0
		return
	}
	if len(m.unloads) > 0 && m.proc.end != nil {
		unpinned = unpinned || m.proc.end.unpinned
	}
	m.unloads = append(m.unloads, done)
	m.proc.drain(&ending{
		reason:   gatewayv1.EvictionReason_EVICTION_REASON_REQUESTED,
		unpinned: unpinned,
		detail:   "unloaded by a call of UnloadModel",
	})
}

// abandonUnload ends an unload whose caller no longer waits. If it was the last
// one and requests are still at work, the model serves again as before.
func (m *model) abandonUnload(done chan int64, cause error) *errs.Error {
	err := errs.From(cause).With("model", m.spec.Name)
	m.unloads = slices.DeleteFunc(m.unloads, func(u chan int64) bool { return u == done })
	p := m.proc
	if p == nil || p.phase != phaseDraining || len(m.unloads) > 0 ||
		p.end.reason != gatewayv1.EvictionReason_EVICTION_REASON_REQUESTED {
		return err
	}
	m.pinned = m.pinned || p.end.unpinned
	p.restore("stays loaded: its requests did not end before the caller of the unload left")
	if err.Reason() == errs.DeadlineExceeded {
		err = errs.New(errs.DeadlineExceeded, "model %q stays loaded: %d requests were still running at the deadline; allow more time",
			m.spec.Name, len(p.leases)).WithCause(cause).With("model", m.spec.Name)
	}
	return err
}
