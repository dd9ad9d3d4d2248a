package lifecycle

import (
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// revival is the return of a pinned model whose process was lost.
type revival struct {
	// due is when it is tried next; zero if the model is not lost.
	due time.Time
	// tries since it was last up for long.
	tries int
}

// lost takes note of the end of a process that should have stayed: its pinned
// model is loaded again, later each time if it does not last.
func (o *owner) lost(p *process, reason gatewayv1.EvictionReason) {
	m := p.model
	if !m.pinned || p.readyAt.IsZero() || !isCrash(reason) && reason != gatewayv1.EvictionReason_EVICTION_REASON_OVER_BUDGET {
		return
	}
	if o.now.Sub(p.readyAt) >= o.opts.CrashWindow {
		m.revival.tries = 0
	}
	o.postpone(m)
}

// postpone sets when a lost model is tried next, unless it is loaded by then.
func (o *owner) postpone(m *model) { m.revival.due = o.now.Add(o.cooldown(m.revival.tries)) }

// reviving tells whether a lost model waits for its next try.
func (m *model) reviving() bool {
	return m.pinned && m.proc == nil && !m.revival.due.IsZero() && len(m.queue) == 0
}

// revive asks for the load of lost models whose time has come, as a caller of
// Load does. Nobody takes the answer: a load that fails is told by its failure.
func (o *owner) revive() {
	if o.draining || o.stopping {
		return
	}
	for _, m := range o.models {
		if !m.reviving() || o.now.Before(m.revival.due) {
			continue
		}
		m.revival.tries++
		o.postpone(m)
		o.enqueue(&waiter{
			model: m, kind: waitLoad, priority: m.spec.Priority, arrival: o.now, result: make(chan admission, 1),
		})
	}
}
