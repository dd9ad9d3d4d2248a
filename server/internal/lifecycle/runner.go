package lifecycle

import (
	"context"
	"math"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/worker"
)

var _ effects = (*Manager)(nil)

const (
	// sampleShare bounds the share of time spent on measuring a worker: one part
	// in so many. Large mappings take long to measure.
	sampleShare = 20
	// sampleMax limits the time between two samples that results from it: on a
	// machine so busy that measuring takes long, growth must still be noticed.
	sampleMax = time.Second
	// sampleFailures in a row are logged: a worker that is ending may cause one or
	// two.
	sampleFailures = 3
)

// size looks a model's size up in a new goroutine.
func (m *Manager) size(md *model) {
	spec := md.spec
	m.processes.Go(func() {
		s := lookUp(spec, m.learned)
		m.post(func(*owner) { md.sized(s) })
	})
}

// learn stores the record of a run.
func (m *Manager) learn(r record) { m.learned.put(r) }

// stop ends a worker; it does not wait.
func (m *Manager) stop(w worker.Worker, grace time.Duration) { w.Stop(grace) }

// suspend stops a worker from running.
func (m *Manager) suspend(w worker.Worker) { w.Suspend() }

// proceed has it run again.
func (m *Manager) proceed(w worker.Worker) { w.Continue() }

// launch runs a worker's process in a new goroutine.
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
		w.Stop(0)
		m.post(func(*owner) { p.loadFailed(err) })
	} else {
		m.post(func(*owner) { p.loaded() })
	}
	<-w.Done()
	m.post(func(*owner) { p.exited(w.ExitError()) })
}

// sample measures a worker until it has ended. Each worker has its own sampling
// goroutine, so that one that is slow to measure delays no other. A worker that
// cannot be measured is charged what was reserved, or last measured.
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
			if failures < sampleFailures { // logged at most once
				failures = 0
			}
			m.post(func(*owner) { p.sampled(bytes) })
		} else if failures++; failures == sampleFailures {
			m.opts.Logger.Warn("the memory of a worker cannot be measured; it is charged its reservation or last measurement",
				"model", p.model.spec.Name, "pid", w.PID(), "error", err)
		}
		timer.Reset(samplePause(m.opts.SamplePeriod, m.opts.Clock.Since(began)))
	}
}

// samplePause is the time until the next sample after one that took so long.
func samplePause(period, took time.Duration) time.Duration {
	return max(period, min(sampleShare*took, sampleMax))
}
