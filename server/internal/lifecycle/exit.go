package lifecycle

import (
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// exited records that the process was reaped: its bytes come back now.
func (p *process) exited(err error) {
	m := p.model
	p.cancel()
	m.proc = nil
	m.size.known = false
	p.learnPeak()
	wasLoading := p.readyAt.IsZero()
	reason, detail, cause := p.exitReason(errs.From(err))
	if cause != nil {
		p.failLeases(cause)
	}
	if wasLoading {
		p.loadEnded(cause)
	}
	if reason != gatewayv1.EvictionReason_EVICTION_REASON_UNSPECIFIED {
		p.unloaded(reason, detail)
	}
	m.announce(change{unload: reason, detail: detail})
	p.scheduleReload(reason)
	if !wasLoading && isCrash(reason) {
		m.crashed(cause)
	}
	m.opts.Observer.MemoryChanged(m.spec.Name, 0, 0, p.peak)
	for _, u := range m.unloads {
		u <- p.charged()
	}
	m.unloads = nil
}

// exitReason returns why the process has ended: because it was stopped or, if it
// was not or still had leases to finish, because it crashed.
func (p *process) exitReason(exit *errs.Error) (gatewayv1.EvictionReason, string, *errs.Error) {
	if p.phase == phaseStopping {
		cause := p.end.loadErr
		if cause != nil && p.end.detail == "" {
			return p.end.reason, cause.Message(), cause
		}
		return p.end.reason, p.end.detail, cause
	}
	reason := gatewayv1.EvictionReason_EVICTION_REASON_CRASHED
	if exit == nil {
		exit = errs.New(errs.EngineCrashed, "the worker of model %q ended unexpectedly", p.model.spec.Name)
	}
	p.end = nil
	if errors.Is(exit, worker.ErrOutOfMemory) {
		reason = gatewayv1.EvictionReason_EVICTION_REASON_OUT_OF_MEMORY
	}
	return reason, exit.Message(), exit.With("model", p.model.spec.Name)
}

// unloaded records why the process has ended, as the model's last unload.
func (p *process) unloaded(reason gatewayv1.EvictionReason, detail string) {
	m := p.model
	m.lastUnload = &gatewayv1.Eviction{Reason: reason, Time: timestamppb.New(m.now), Detail: detail}
	if p.end != nil {
		m.lastUnload.RequestedBy = p.end.forModel
	}
	m.opts.Observer.Unloaded(m.spec.Name, reason)
}

// learnPeak stores the most memory that the process held.
func (p *process) learnPeak() {
	if p.peak <= 0 {
		return
	}
	m := p.model
	// A load that was cut short, or that no request used, shows nothing about the
	// peak, unless it already held more than was reserved.
	if !p.served && p.peak <= p.reserved {
		return
	}
	m.size.learned = m.size.learned.withPeak(p.peak, m.now)
	m.fx.learn(m.size.learned)
}
