package lifecycle

import (
	"context"
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Shutdown ends the manager: it refuses new requests (DRAINING), serves those that
// it has until ctx ends, and stops every worker. It returns when every
// worker's process is reaped and what was learned is written. Later calls wait
// for the same end.
func (m *Manager) Shutdown(ctx context.Context) error {
	idle := make(chan struct{})
	if m.post(func(o *owner) { o.beginShutdown(idle) }) {
		select {
		case <-idle:
		case <-ctx.Done():
		case <-m.stopped:
		}
		m.post(func(o *owner) { o.stopWorkers() })
	}
	<-m.stopped
	m.processes.Wait()
	m.background.Wait()
	return nil
}

// Close ends the manager without waiting for its requests.
func (m *Manager) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return m.Shutdown(ctx)
}

// beginShutdown refuses new requests, and loads that no request waits for. It
// closes idle once no request is left.
func (o *owner) beginShutdown(idle chan struct{}) {
	o.shuttingDown = true
	o.whenIdle = append(o.whenIdle, idle)
	for _, m := range o.models {
		m.refuse(waitLoad, errs.ShuttingDown())
	}
}

// notifyIdle closes the channels of whenIdle if no request waits or has a lease.
func (o *owner) notifyIdle() {
	if len(o.whenIdle) == 0 {
		return
	}
	for _, m := range o.models {
		if len(m.queue) > 0 || m.proc != nil && len(m.proc.leases) > 0 {
			return
		}
	}
	for _, c := range o.whenIdle {
		close(c)
	}
	o.whenIdle = nil
}

// stopWorkers ends the requests that are left and stops every worker.
func (o *owner) stopWorkers() {
	o.stopping = true
	for _, m := range o.models {
		m.refuse(waitLease, errs.ShuttingDown())
		if m.proc == nil || m.proc.phase == phaseStopping {
			continue
		}
		p := m.proc
		p.end = &ending{reason: gatewayv1.EvictionReason_EVICTION_REASON_SHUTDOWN, detail: "the server is shutting down"}
		p.failLeases(errs.ShuttingDown())
		p.stop(o.opts.StopGrace)
		m.announce(change{detail: p.end.detail})
	}
}

// ended reports whether the owner's work is done: every worker was stopped and
// every process reaped.
func (o *owner) ended() bool {
	return o.stopping && !slices.ContainsFunc(o.models, func(m *model) bool { return m.proc != nil })
}
