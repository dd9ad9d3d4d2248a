package lifecycle

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// phase is where a process is in its life.
type phase int

const (
	phaseLoading phase = iota
	phaseReady
	// phaseDraining: no new leases; it is stopped when the last one ends.
	phaseDraining
	// phaseStopping: it was asked to exit; charged until it is reaped.
	phaseStopping
)

// process is one worker process of a model, from the reservation of its bytes
// until it is reaped. Only fraction is used outside the owner goroutine.
type process struct {
	model *model
	phase phase
	// worker is nil until it is launched.
	worker worker.Worker
	// cancel abandons the launch and the load.
	cancel context.CancelFunc
	// fraction of the load that is done; written by the load's goroutine.
	fraction atomic.Uint32

	reserved, measured, peak int64

	started, readyAt, lastUsed time.Time
	leases                     map[*Lease]struct{}
	// working is the number of leases that are not paused.
	working int
	// suspended: its process does not run, because the requests of another model
	// come before its own. turn is its last turn of the cores.
	suspended bool
	turn      coresTurn
	// unserved: it was loaded for requests, and none has got its lease yet.
	unserved bool
	// served: a request has got a lease of it.
	served bool
	// missedDeadline: the deadline of a request passed while the model loaded.
	// The load continues without that request: otherwise a model that loads
	// longer than its callers wait could never be used. While no other request
	// waits for it, it may be evicted like an idle model.
	missedDeadline bool
	liveness
	// backoff delays the next handover after one that requests held up.
	backoff handoverBackoff
	// end is set once it was decided that the process ends.
	end *ending
	// launch is its number among the model's launches; see WorkerID.
	launch int
}

// ending is why a process ends.
type ending struct {
	reason gatewayv1.EvictionReason
	detail string
	// forModel is the model that needs the memory; see drain and kill.
	forModel      string
	handoverUntil time.Time
	// unpinned: the model was pinned until this unload, for REQUESTED.
	unpinned bool
	// loadErr ends the wait of those that wait for the load; with nil they
	// continue to wait.
	loadErr *errs.Error
}

// charged is what counts against the budget.
func (p *process) charged() int64 { return max(p.reserved, p.measured) }

// launched records the worker of the process.
func (p *process) launched(w worker.Worker) {
	p.worker = w
	p.progressed(p.model.now)
	if p.phase == phaseStopping {
		p.model.fx.stop(w, 0)
	}
}

// drain lets the leases end and then stops the process. A load is cut short.
func (p *process) drain(end *ending) {
	switch p.phase {
	case phaseStopping:
		return
	case phaseLoading:
		p.end = end
		p.stop(0)
	default:
		p.end = end
		p.phase = phaseDraining
		p.stopIfDrained()
	}
	p.model.announce(change{detail: end.detail})
}

// restore takes a draining process back into service.
func (p *process) restore(detail string) {
	p.phase, p.end = phaseReady, nil
	p.model.announce(change{detail: detail})
}

// kill ends the process at once, and its leases with err; nil if there are none.
func (p *process) kill(end *ending, err *errs.Error) {
	if p.phase == phaseStopping {
		return
	}
	p.end = end
	if err != nil {
		p.failLeases(err)
	}
	p.stop(0)
	p.model.announce(change{detail: end.detail})
}

// stop asks the worker to end within grace.
func (p *process) stop(grace time.Duration) {
	p.phase = phaseStopping
	p.cancel()
	if p.worker != nil {
		p.model.fx.stop(p.worker, grace)
	}
}

// stopIfDrained stops a draining process whose last lease has ended.
func (p *process) stopIfDrained() {
	if p.phase == phaseDraining && len(p.leases) == 0 {
		p.stop(p.model.opts.StopGrace)
	}
}

// sampled records a measurement of the process's memory.
func (p *process) sampled(bytes int64) {
	if p.model.proc != p {
		return
	}
	changed := bytes != p.measured
	p.measured = bytes
	p.peak = max(p.peak, bytes)
	if changed {
		p.observeMemory()
	}
}

func (p *process) observeMemory() {
	p.model.opts.Observer.MemoryChanged(p.model.spec.Name, p.reserved, p.measured, p.peak)
}

// failLeases ends the leases of a process that has ended or will be ended. It
// must be called before the worker is asked to exit: then streams break, and
// their requests need err.
func (p *process) failLeases(err *errs.Error) {
	if !errors.Is(err, worker.ErrEnded) {
		err = err.WithCause(worker.ErrEnded)
	}
	for _, w := range slices.Clone(p.model.queue) {
		if w.kind == waitResume {
			w.resolve(admission{err: err})
		}
	}
	for l := range p.leases {
		l.end(err)
	}
}

// loadFraction is the part of the load that is done, 0 to 1: what the engine
// reports or, if it reports nothing, the elapsed part of the learned load time.
func (p *process) loadFraction() float32 {
	if p.phase == phaseReady {
		return 1
	}
	f := math.Float32frombits(p.fraction.Load())
	if expected := p.model.size.learned.loadTime(); f == 0 && expected > 0 {
		f = min(0.95, float32(p.model.now.Sub(p.started).Seconds()/expected.Seconds()))
	}
	return f
}
