package lifecycle

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// liveness is how long a process has been at work without progress. Time is
// counted only while there is work, over as many requests as it takes: requests
// shorter than the limit do not hide a hang.
type liveness struct {
	work  uint64
	since time.Time
	// stalled is what was counted before since.
	stalled time.Duration
}

// begin starts the count when work begins.
func (l *liveness) begin(now time.Time) { l.since = now }

// pause stops the count when work ends.
func (l *liveness) pause(now time.Time) {
	l.stalled = l.idle(now)
	l.since = time.Time{}
}

// alive takes note of progress.
func (l *liveness) alive(now time.Time) {
	l.stalled = 0
	if !l.since.IsZero() {
		l.since = now
	}
}

// observe compares the worker's count of work with the last one.
func (l *liveness) observe(work uint64, now time.Time) {
	if work != l.work {
		l.work = work
		l.alive(now)
	}
}

// idle is how long there has been work without progress.
func (l *liveness) idle(now time.Time) time.Duration {
	if l.since.IsZero() {
		return l.stalled
	}
	return l.stalled + now.Sub(l.since)
}

// judge draws from the end of a request whether its worker still works: one
// that ended well, or with an error of the engine's own, shows that it does.
// One that ran into its deadline while nothing moved for a good part of the
// limit shows that it does not, and the next ones need not find out again.
func (o *owner) judge(p *process, l *Lease, reason errs.Reason) {
	o.observeWork(p)
	switch reason {
	case errs.Cancelled, errs.EngineCrashed, errs.MemoryBusy, errs.Draining:
	case errs.DeadlineExceeded:
		if p.phase != phaseStopping && l.pauses == 0 && p.idle(o.now) >= p.model.spec.ProgressTimeout/4 {
			o.endHung(p)
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
		o.endHung(p)
	}
}

// endHung ends a worker that makes no progress.
func (o *owner) endHung(p *process) {
	err := errs.New(errs.EngineCrashed, "the worker of model %q made no progress for %s and was ended; the next request loads it afresh",
		p.model.spec.Name, round(p.idle(o.now))).With("model", p.model.spec.Name)
	o.kill(p, &ending{
		reason: gatewayv1.EvictionReason_EVICTION_REASON_HUNG,
		detail: "made no progress for " + round(p.idle(o.now)).String(),
		cause:  err,
	}, err)
}
