package lifecycle

import (
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// handoverServices is how many mean requests a handover gives the leases of
	// its victim to end in.
	handoverServices = 3
	// handoverMax bounds that time, and the back-off after a handover that
	// failed, unless the model's turn is longer.
	handoverMax = time.Minute
)

// reprieved remembers that a process was taken back into service because its
// leases outlasted a handover.
type reprieved struct {
	// at is when that was last, until how long it is left alone since, and
	// backoff how long that is.
	at, until time.Time
	backoff   time.Duration
}

// handoverLimit is how long a handover may drain a process: as long as its turn
// or a few of its requests. Without a limit one request that never ends would
// shut both models, the one that admits nobody and the one that waits for it.
func (o *owner) handoverLimit(p *process) time.Duration {
	return max(o.turn(p), min(handoverServices*p.model.stats.service, handoverMax))
}

// evict drains a model for another one.
func (o *owner) evict(victim, forModel *model) {
	o.drain(victim.proc, &ending{
		reason:   gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE,
		forModel: forModel,
		until:    o.now.Add(o.handoverLimit(victim.proc)),
		detail:   "model " + forModel.spec.Name + " needed the memory",
	})
	o.endSilentOf(victim.proc)
}

// reprieve takes models back into service that were drained for a model that
// does not need their memory any more, or whose leases did not end in time, as
// long as they have not been stopped.
func (o *owner) reprieve() {
	for _, m := range o.models {
		p := m.proc
		if p == nil || p.phase != phaseDraining || p.end.forModel == nil || o.stopping {
			continue
		}
		f := p.end.forModel
		switch {
		case f.proc != nil || len(f.queue) == 0:
			o.restore(p, "stays: model "+f.spec.Name+" needs its memory no more")
		case !o.now.Before(p.end.until):
			o.backOff(p)
			o.restore(p, "stays: its requests did not end in time to make room for model "+f.spec.Name)
		}
	}
}

// restore takes a draining process back into service.
func (o *owner) restore(p *process, why string) {
	p.phase, p.end = phaseReady, nil
	o.announce(p.model, change{detail: why})
}

// backOff leaves a process alone for a time that doubles with each handover
// that its leases held up.
func (o *owner) backOff(p *process) {
	r := &p.reprieved
	limit := o.handoverLimit(p)
	r.backoff = min(max(2*r.backoff, limit), max(handoverMax, limit))
	r.at, r.until = o.now, o.now.Add(r.backoff)
}

// forgive ends the back-off once no lease is left that held up the handover.
func (p *process) forgive() {
	for l := range p.leases {
		if l.granted.Before(p.reprieved.at) {
			return
		}
	}
	p.reprieved = reprieved{}
}

// unload unpins a model and drains it; done gets the bytes that came back.
func (o *owner) unload(m *model, done chan int64) {
	unpinned := m.pinned
	m.pinned, m.revival = false, revival{}
	if m.proc == nil {
		if m.failure != nil {
			m.failure, m.failures, m.crashes = nil, 0, nil
			o.announce(m, change{detail: "the failure was cleared"})
		}
		done <- 0
		return
	}
	if len(m.unloaders) > 0 && m.proc.end != nil {
		unpinned = unpinned || m.proc.end.unpinned
	}
	m.unloaders = append(m.unloaders, done)
	o.drain(m.proc, &ending{
		reason:   gatewayv1.EvictionReason_EVICTION_REASON_REQUESTED,
		unpinned: unpinned,
		detail:   "unload was asked for",
	})
}

// abandonUnload ends an unload whose caller waits no more. If it was the last
// one and requests are still at work, the model serves again as before.
func (o *owner) abandonUnload(m *model, done chan int64, cause error) *errs.Error {
	err := errs.From(cause).With("model", m.spec.Name)
	m.unloaders = slices.DeleteFunc(m.unloaders, func(u chan int64) bool { return u == done })
	p := m.proc
	if p == nil || p.phase != phaseDraining || len(m.unloaders) > 0 || o.stopping ||
		p.end.reason != gatewayv1.EvictionReason_EVICTION_REASON_REQUESTED {
		return err
	}
	m.pinned = m.pinned || p.end.unpinned
	o.restore(p, "stays: its requests did not end before who asked for the unload left")
	if err.Reason() == errs.DeadlineExceeded {
		err = errs.New(errs.DeadlineExceeded, "model %q stays loaded: %d requests were still at work at the deadline; allow more time",
			m.spec.Name, len(p.leases)).WithCause(cause).With("model", m.spec.Name)
	}
	return err
}
