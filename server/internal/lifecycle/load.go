package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// launch reserves bytes for a model and starts its worker. free is what is left
// of the budget before that.
func (m *model) launch(bytes, free int64) {
	ctx, cancel := context.WithCancel(context.Background())
	m.launches++
	p := &process{
		model:    m,
		cancel:   cancel,
		reserved: bytes,
		started:  m.now,
		leases:   map[*Lease]struct{}{},
		launch:   m.launches,
	}
	m.proc, m.failure = p, nil
	spec := m.spec.Worker
	if spec.MemoryLimitBytes == 0 {
		spec.MemoryLimitBytes = hardLimit(max(bytes, free))
	}
	m.announce(change{detail: "loading"})
	p.observeMemory()
	m.fx.launch(ctx, p, spec)
}

// hardLimit is the kernel's limit on a worker that may use so many bytes of the
// budget: its reservation, and what else was free at its launch. Some room is
// added because RLIMIT_DATA counts what is mapped (stacks of threads, arenas),
// not what is resident. Sampling keeps the budget; this limit stops a worker
// that grows faster than it is sampled. It does not change while the worker
// lives: a model that is to use memory freed later must be loaded again.
func hardLimit(room int64) int64 { return room + max(room/4, 512<<20) }

// loaded records a load that succeeded.
func (p *process) loaded() {
	m := p.model
	if p.phase != phaseLoading {
		return
	}
	p.phase, p.readyAt, p.lastUsed = phaseReady, m.now, m.now
	p.progressed(m.now)
	took := m.now.Sub(p.started)
	m.stats.loads++
	m.refusingSince, m.reload.due = time.Time{}, time.Time{}
	if !m.crashLoop {
		m.failures = 0
	}
	m.pinned = m.pinned || m.spec.Pinned
	m.size.learned = m.size.learned.withLoad(took, m.now)
	m.fx.learn(m.size.learned)
	for _, w := range slices.Clone(m.queue) {
		if w.kind == waitLoad {
			m.pinned = m.pinned || w.pin
			w.resolve(admission{})
			continue
		}
		w.waitedForLoad = true
		p.unserved = true
	}
	m.opts.Observer.LoadEnded(m.spec.Name, took, nil)
	m.announce(change{detail: "loaded in " + round(took).String()})
}

// loadFailed records a load that did not succeed. The process has ended or is
// being ended.
func (p *process) loadFailed(err error) {
	if p.phase != phaseLoading {
		return
	}
	p.phase = phaseStopping
	p.end = &ending{loadErr: errs.From(err).With("model", p.model.spec.Name)}
}

// loadEnded answers those that waited for a load that did not succeed. With a
// nil err the load was cancelled, and they wait for the next one.
func (p *process) loadEnded(err *errs.Error) {
	m := p.model
	result := err
	if err == nil {
		result = errs.New(errs.Cancelled, "the load of model %q was cancelled", m.spec.Name)
	}
	m.opts.Observer.LoadEnded(m.spec.Name, m.now.Sub(p.started), result)
	if err == nil {
		return
	}
	m.fail(err, false)
	m.refuseAll(err)
}
