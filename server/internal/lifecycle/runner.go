package lifecycle

import (
	"context"
	"math"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

var _ effects = (*Manager)(nil)

// exitWait is how long a failed load waits for the process's own end, which
// explains more than the broken connection.
const exitWait = time.Second

const (
	// sampleShare bounds the share of time spent on measuring a worker: one part
	// in so many. Large mappings take long to measure.
	sampleShare = 20
	// sampleMax bounds what that adds to the time between two samples: on a
	// machine so busy that measuring takes long, growth must be seen all the more.
	sampleMax = time.Second
	// sampleFailures in a row are told: a worker that is just ending may fail one
	// or two.
	sampleFailures = 3
)

// size looks a model's size up in a goroutine of its own.
func (m *Manager) size(md *model) {
	spec := md.spec
	m.processes.Go(func() {
		s := lookUp(spec, m.learned)
		m.post(func(*owner) { md.sized(s) })
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
		m.post(func(*owner) {
			p.loadFailed(err)
			p.exited(nil)
		})
		return
	}
	m.post(func(*owner) { p.launched(w) })
	m.processes.Go(func() { m.sample(p, w) })
	_, err = w.Load(ctx, func(fraction float64) {
		p.fraction.Store(math.Float32bits(float32(min(max(fraction, 0), 1))))
	})
	if err != nil {
		err = m.explainLoad(ctx, w, err)
		w.Stop(0)
		m.post(func(*owner) { p.loadFailed(err) })
	} else {
		m.post(func(*owner) { p.loaded() })
	}
	<-w.Done()
	m.post(func(*owner) { p.exited(w.ExitError()) })
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
// goroutine of its own, so that one that is slow to read delays no other. A
// worker that cannot be measured is charged what was reserved, or last measured.
func (m *Manager) sample(p *process, w worker.Worker) {
	timer := m.opts.Clock.NewTimer(m.opts.SamplePeriod)
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-w.Done():
			return
		case <-timer.Chan():
		}
		began := m.opts.Clock.Now()
		bytes, err := w.MemoryBytes()
		if err == nil {
			if failures < sampleFailures { // it is told once
				failures = 0
			}
			m.post(func(*owner) { p.sampled(bytes) })
		} else if failures++; failures == sampleFailures {
			m.opts.Logger.Warn("a worker cannot be measured and is charged what was known before",
				"model", p.model.spec.Name, "pid", w.PID(), "error", err)
		}
		timer.Reset(samplePause(m.opts.SamplePeriod, m.opts.Clock.Since(began)))
	}
}

// samplePause is the time until the next sample after one that took so long.
func samplePause(period, took time.Duration) time.Duration {
	return max(period, min(sampleShare*took, sampleMax))
}
