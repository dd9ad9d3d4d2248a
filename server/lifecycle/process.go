package lifecycle

import (
	"context"
	"math"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/worker"
)

var _ effects = (*Manager)(nil)

// exitWait is how long a failed load waits for the process's own end, which
// explains more than the broken connection.
const exitWait = time.Second

// sampleShare bounds the share of time spent on measuring a worker: one part in
// so many. Large mappings take long to measure.
const sampleShare = 20

// size looks a model's size up in a goroutine of its own.
func (m *Manager) size(md *model) {
	spec := md.spec
	m.processes.Go(func() {
		s := lookUp(spec, m.learned)
		m.post(func(o *owner) { o.sized(md, s) })
	})
}

// learn keeps what a run taught.
func (m *Manager) learn(r record) { m.learned.put(r) }

// stop ends a worker; it does not wait.
func (m *Manager) stop(w worker.Worker, grace time.Duration) { w.Stop(grace) }

// launch runs a worker's process in a goroutine of its own.
func (m *Manager) launch(ctx context.Context, p *process, spec worker.Spec) {
	m.processes.Go(func() { m.run(ctx, p, spec) })
}

// run is a process from its launch until it is reaped.
func (m *Manager) run(ctx context.Context, p *process, spec worker.Spec) {
	w, err := m.launcher.Launch(ctx, spec)
	if err != nil {
		m.post(func(o *owner) {
			o.loadFailed(p, err)
			o.exited(p, nil)
		})
		return
	}
	m.post(func(o *owner) { o.launched(p, w) })
	m.processes.Go(func() { m.sample(p, w) })
	_, err = w.Load(ctx, func(fraction float64) {
		p.fraction.Store(math.Float32bits(float32(min(max(fraction, 0), 1))))
	})
	if err != nil {
		err = m.explainLoad(ctx, w, err)
		w.Stop(0)
		m.post(func(o *owner) { o.loadFailed(p, err) })
	} else {
		m.post(func(o *owner) { o.loaded(p) })
	}
	<-w.Done()
	m.post(func(o *owner) { o.exited(p, w.ExitError()) })
}

// explainLoad returns why a load failed: the engine's own typed reason, or, if
// the connection broke, the end of the process.
func (m *Manager) explainLoad(ctx context.Context, w worker.Worker, err error) error {
	switch errs.ReasonOf(err) {
	case errs.EngineCrashed, errs.Internal, errs.Cancelled:
	default:
		return err
	}
	timer := m.opts.Clock.NewTimer(exitWait)
	defer timer.Stop()
	select {
	case <-w.Done():
		if exit := w.ExitError(); exit != nil {
			return exit
		}
	case <-timer.Chan():
	case <-ctx.Done():
	}
	return err
}

// sample measures a worker until it has ended. Each worker is measured by a
// goroutine of its own, so that one that is slow to read delays no other.
func (m *Manager) sample(p *process, w worker.Worker) {
	timer := m.opts.Clock.NewTimer(m.opts.SamplePeriod)
	defer timer.Stop()
	for {
		select {
		case <-w.Done():
			return
		case <-timer.Chan():
		}
		began := m.opts.Clock.Now()
		if bytes, err := w.MemoryBytes(); err == nil {
			m.post(func(o *owner) { o.sampled(p, bytes) })
		}
		timer.Reset(max(m.opts.SamplePeriod, sampleShare*m.opts.Clock.Since(began)))
	}
}
