package lifecycle

import (
	"context"
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func errShuttingDown() *errs.Error {
	return errs.New(errs.Draining, "the server is shutting down; try another server, or try again after its restart")
}

// Shutdown ends the manager: it gives no new leases (DRAINING), lets those that
// are held end until ctx does, and stops every worker. It returns when every
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

// Close ends the manager without waiting for the leases.
func (m *Manager) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return m.Shutdown(ctx)
}

// beginShutdown refuses the queued requests. It closes idle once no lease is
// held.
func (o *owner) beginShutdown(idle chan struct{}) {
	o.shuttingDown = true
	o.whenIdle = append(o.whenIdle, idle)
	for _, m := range o.models {
		for _, w := range slices.Clone(m.queue) {
			if w.kind != waitResume {
				w.refuse(errShuttingDown())
			}
		}
	}
}

// notifyIdle closes the channels of whenIdle if no lease is held.
func (o *owner) notifyIdle() {
	if len(o.whenIdle) == 0 {
		return
	}
	for _, m := range o.models {
		if m.proc != nil && len(m.proc.leases) > 0 {
			return
		}
	}
	for _, c := range o.whenIdle {
		close(c)
	}
	o.whenIdle = nil
}

// stopWorkers ends the leases that are left and stops every worker.
func (o *owner) stopWorkers() {
	o.stopping = true
	for _, m := range o.models {
		if m.proc == nil || m.proc.phase == phaseStopping {
			continue
		}
		p := m.proc
		p.end = &ending{reason: gatewayv1.EvictionReason_EVICTION_REASON_SHUTDOWN, detail: "the server is shutting down"}
		p.failLeases(errShuttingDown())
		p.stop(o.opts.StopGrace)
		m.announce(change{detail: p.end.detail})
	}
}

// ended reports whether the owner's work is done: every worker was stopped and
// every process reaped.
func (o *owner) ended() bool {
	return o.stopping && !slices.ContainsFunc(o.models, func(m *model) bool { return m.proc != nil })
}
