package lifecycle

import (
	"slices"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// beginDrain refuses those who wait and closes idle once no lease is held.
func (o *owner) beginDrain(idle chan struct{}) {
	o.draining = true
	o.drained = append(o.drained, idle)
	for _, m := range o.models {
		for _, w := range slices.Clone(m.queue) {
			if w.kind != waitResume {
				o.refuse(w, errDraining())
			}
		}
	}
}

// tellDrained tells those who wait for it that no lease is held.
func (o *owner) tellDrained() {
	if len(o.drained) == 0 {
		return
	}
	for _, m := range o.models {
		if m.proc != nil && len(m.proc.leases) > 0 {
			return
		}
	}
	for _, c := range o.drained {
		close(c)
	}
	o.drained = nil
}

// shutDown takes back the leases that are left and ends every worker.
func (o *owner) shutDown() {
	o.stopping = true
	for _, m := range o.models {
		if m.proc == nil || m.proc.phase == phaseStopping {
			continue
		}
		p := m.proc
		p.end = &ending{reason: gatewayv1.EvictionReason_EVICTION_REASON_SHUTDOWN, detail: "the server is shutting down"}
		o.failLeases(p, errDraining())
		o.stop(p, o.opts.StopGrace)
		o.announce(m, change{detail: p.end.detail})
	}
}

// ended tells whether the owner's work is done: shut down, and every process
// reaped.
func (o *owner) ended() bool {
	if !o.stopping {
		return false
	}
	for _, m := range o.models {
		if m.proc != nil {
			return false
		}
	}
	return true
}
