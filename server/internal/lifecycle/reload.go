package lifecycle

import (
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// reloadState is the state of a pinned model whose process was lost: it is
// loaded again in the background, later each time if it does not last.
type reloadState struct {
	// due is the time of the next load; zero if the model was not lost.
	due time.Time
	// tries is how many loads there were since it last stayed loaded for long.
	tries int
}

// scheduleReload sets when a pinned model is loaded again, if the process that
// has ended should have stayed.
func (p *process) scheduleReload(reason gatewayv1.EvictionReason) {
	m := p.model
	if !m.pinned || p.readyAt.IsZero() || !isCrash(reason) && reason != gatewayv1.EvictionReason_EVICTION_REASON_OVER_BUDGET {
		return
	}
	if m.now.Sub(p.readyAt) >= m.opts.CrashWindow {
		m.reload.tries = 0
	}
	m.reload.due = m.now.Add(m.opts.cooldown(m.reload.tries))
}

// reloadPinned queues the loads of lost models that are due, as calls of Load
// would. The results are not needed: a load that fails puts the model into its
// cooldown.
func (p *planner) reloadPinned() {
	if p.shuttingDown {
		return
	}
	for i := range p.models {
		if m := &p.models[i]; m.awaitsReload() && !p.now.Before(m.reloadDue) {
			p.decide(reload{model: m.name})
		}
	}
}
