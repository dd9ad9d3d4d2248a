package lifecycle

import (
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// quickShare is the part of a model's progress limit below which a lease that
// its caller gave up tells nothing about the worker.
const quickShare = 8

// liveness is how long a worker has been at work without progress: the longest
// of the requests at work, and what those that ended before showed. Requests
// shorter than the limit do not hide a hang, but those that are given up soon,
// before a healthy worker could have shown anything, do not add up to one.
type liveness struct {
	work uint64
	// moved is when progress was last seen, counted up to when the time is in
	// stalled.
	moved, counted time.Time
	// stalled is what ended requests showed since there was progress.
	stalled time.Duration
}

// alive takes note of progress.
func (l *liveness) alive(now time.Time) { l.stalled, l.moved = 0, now }

// observe compares the worker's count of work with the last one.
func (l *liveness) observe(work uint64, now time.Time) {
	if work != l.work {
		l.work = work
		l.alive(now)
	}
}

// count adds what a stretch of work that ends now has shown.
func (l *liveness) count(since, now time.Time) {
	l.stalled += now.Sub(latest(since, l.moved, l.counted))
	l.counted = now
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// idle is how long the process has been at work without progress.
func (p *process) idle(now time.Time) time.Duration {
	idle := p.stalled
	add := func(since time.Time) {
		idle = max(idle, p.stalled+now.Sub(latest(since, p.moved, p.counted)))
	}
	if p.phase == phaseLoading {
		add(p.started)
	}
	for l := range p.leases {
		if l.pauses == 0 {
			add(l.working)
		}
	}
	return idle
}

// judge draws from the end of a request whether its worker still works: one
// that ended well, or with an error of the engine's own, shows that it does.
// One that ran into its deadline, without anything moving while it was at work
// itself for a good part of the limit, shows that it does not, and the next
// ones need not find out again.
func (o *owner) judge(p *process, l *Lease, reason errs.Reason) {
	o.observeWork(p)
	if p.phase == phaseStopping {
		return
	}
	switch reason {
	case errs.EngineCrashed, errs.MemoryBusy, errs.Draining:
	case errs.Cancelled, errs.DeadlineExceeded:
		if l.pauses > 0 {
			return
		}
		limit := p.model.spec.ProgressTimeout
		stuck := o.now.Sub(latest(l.working, p.moved))
		if reason == errs.DeadlineExceeded || stuck >= limit/quickShare {
			p.count(l.working, o.now)
		}
		if p.idle(o.now) >= limit || reason == errs.DeadlineExceeded && stuck >= limit/4 {
			o.endHung(p, max(stuck, p.idle(o.now)))
		}
	default:
		p.alive(o.now)
	}
}

// observeWork takes note of the worker's progress.
func (o *owner) observeWork(p *process) {
	if p.worker != nil {
		p.observe(p.worker.WorkCount()+uint64(p.fraction.Load()), o.now)
	}
}

func (o *owner) checkProgress(p *process) {
	active := p.phase == phaseLoading || (p.working > 0 && p.phase != phaseStopping)
	if !active || p.idle(o.now) < p.model.spec.ProgressTimeout {
		return
	}
	o.observeWork(p)
	if p.idle(o.now) >= p.model.spec.ProgressTimeout {
		o.endHung(p, p.idle(o.now))
	}
}

// endHung ends a worker that makes no progress.
func (o *owner) endHung(p *process, idle time.Duration) {
	err := errs.New(errs.EngineCrashed, "the worker of model %q made no progress for %s and was ended; the next request loads it afresh",
		p.model.spec.Name, round(idle)).With("model", p.model.spec.Name)
	o.kill(p, &ending{
		reason: gatewayv1.EvictionReason_EVICTION_REASON_HUNG,
		detail: "made no progress for " + round(idle).String(),
		cause:  err,
	}, err)
}
