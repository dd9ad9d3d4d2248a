package lifecycle

import (
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A lease that its caller gave up sooner than one quickDivisor-th of the model's
// progress timeout shows nothing about the worker.
const quickDivisor = 8

// liveness is how long a worker has been at work without progress: as long as
// the longest of the requests at work, plus what ended requests showed. Requests
// shorter than the timeout do not hide a hang. But those that are given up soon,
// before a healthy worker could have made progress, do not add up to one.
type liveness struct {
	// work is the worker's count of work when it was last read.
	work uint64
	// lastProgress is when that changed; what was shown up to counted is in
	// stalled.
	lastProgress, counted time.Time
	// stalled is what ended requests showed since the last progress.
	stalled time.Duration
}

// progressed records progress.
func (l *liveness) progressed(now time.Time) { l.stalled, l.lastProgress = 0, now }

// observe compares the worker's count of work with the last one.
func (l *liveness) observe(work uint64, now time.Time) {
	if work != l.work {
		l.work = work
		l.progressed(now)
	}
}

// addStall adds what a stretch of work that ends now has shown.
func (l *liveness) addStall(since, now time.Time) {
	l.stalled += now.Sub(latest(since, l.lastProgress, l.counted))
	l.counted = now
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// stalledFor is how long the process has been at work without progress.
func (p *process) stalledFor(now time.Time) time.Duration {
	longest := p.stalled
	add := func(since time.Time) {
		longest = max(longest, p.stalled+now.Sub(latest(since, p.lastProgress, p.counted)))
	}
	if p.phase == phaseLoading {
		add(p.started)
	}
	for l := range p.leases {
		if l.pauses == 0 {
			add(l.working)
		}
	}
	return longest
}

// observeWork reads the worker's progress.
func (p *process) observeWork() {
	if p.worker != nil {
		p.observe(p.worker.WorkCount()+uint64(p.fraction.Load()), p.model.now)
	}
}

// observeIfStalled reads the worker's progress if the process would be taken
// for a stalled one without it.
func (p *process) observeIfStalled() {
	if p.phase == phaseLoading || p.working > 0 {
		if p.stalledFor(p.model.now) >= p.model.spec.ProgressTimeout {
			p.observeWork()
		}
	}
}

// leaseEnded draws from the end of a request whether its worker still works: one
// that succeeded, or failed with an error of the engine, shows that it does. One
// that ran into its deadline, without any progress while it was at work for a
// good part of the timeout, shows that it does not, and the next ones need not
// find out again.
func (p *process) leaseEnded(l *Lease, reason errs.Reason) (hung bool, stalled time.Duration) {
	now := p.model.now
	p.observeWork()
	if p.phase == phaseStopping {
		return false, 0
	}
	switch reason {
	case errs.EngineCrashed, errs.MemoryBusy, errs.Draining:
		return false, 0
	case errs.Cancelled, errs.DeadlineExceeded:
	default:
		p.progressed(now)
		return false, 0
	}
	if l.pauses > 0 {
		return false, 0
	}
	timeout := p.model.spec.ProgressTimeout
	own := now.Sub(latest(l.working, p.lastProgress))
	timedOut := reason == errs.DeadlineExceeded
	if timedOut || own >= timeout/quickDivisor {
		p.addStall(l.working, now)
	}
	total := p.stalledFor(now)
	return total >= timeout || timedOut && own >= timeout/4, max(own, total)
}

// killHung is the decision to end a worker that makes no progress.
func killHung(model string, stalled time.Duration) kill {
	err := hungError(model, stalled)
	return kill{
		model:   model,
		reason:  gatewayv1.EvictionReason_EVICTION_REASON_HUNG,
		detail:  "made no progress for " + round(stalled).String(),
		err:     err,
		loadErr: err,
	}
}
