package lifecycle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// fakeLauncher makes workers without processes; loads go through gate, if set.
type fakeLauncher struct {
	gate chan struct{}
	err  error
	// unmeasured, if not nil, gets a value for each measurement, which fails.
	unmeasured chan struct{}
	launches   atomic.Int32
	alive      atomic.Int32
	mu         sync.Mutex
	last       *fakeWorker
	exit       error  // of a worker that crashes; nil: by a signal
	onStop     func() // called when a worker is told to end; may be nil
}

func (l *fakeLauncher) Launch(ctx context.Context, s worker.Spec) (worker.Worker, error) {
	l.launches.Add(1)
	if l.err != nil {
		return nil, l.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &fakeWorker{launcher: l, done: make(chan struct{}), limit: s.MemoryLimitBytes}
	l.alive.Add(1)
	l.mu.Lock()
	l.last = w
	l.mu.Unlock()
	return w, nil
}

func (l *fakeLauncher) worker() *fakeWorker {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

type fakeWorker struct {
	launcher *fakeLauncher
	once     sync.Once
	done     chan struct{}
	crashed  atomic.Bool
	bytes    atomic.Int64
	work     atomic.Uint64
	limit    int64
}

func (w *fakeWorker) PID() int                                { return 4711 }
func (w *fakeWorker) Description() *enginev1.DescribeResponse { return nil }
func (w *fakeWorker) WorkCount() uint64                       { return w.work.Load() }
func (w *fakeWorker) Done() <-chan struct{}                   { return w.done }

func (w *fakeWorker) Suspend()  {}
func (w *fakeWorker) Continue() {}

func (w *fakeWorker) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	return &fakeStream{ctx: ctx, worker: w}, nil
}

func (w *fakeWorker) Stop(time.Duration) {
	w.launcher.mu.Lock()
	onStop := w.launcher.onStop
	w.launcher.mu.Unlock()
	if onStop != nil {
		onStop()
	}
	w.end()
}

// fakeStream is a stream without output that breaks when its worker ends.
type fakeStream struct {
	enginev1.Engine_RunClient
	ctx    context.Context
	worker *fakeWorker
}

func (s *fakeStream) Recv() (*enginev1.RunResponse, error) {
	select {
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	case <-s.worker.done:
	}
	if err := s.worker.ExitError(); err != nil {
		return nil, err
	}
	return nil, errs.New(errs.EngineCrashed, "the engine was stopped")
}

func (w *fakeWorker) Load(ctx context.Context, progress func(float64)) (*enginev1.LoadResponse, error) {
	progress(0.5)
	if w.launcher.gate != nil {
		select {
		case <-w.launcher.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &enginev1.LoadResponse{Ready: true}, nil
}

func (w *fakeWorker) MemoryBytes() (int64, error) {
	if w.launcher.unmeasured == nil {
		return w.bytes.Load(), nil
	}
	select {
	case w.launcher.unmeasured <- struct{}{}:
	case <-w.done:
	}
	return 0, errors.New("no smaps_rollup")
}

func (w *fakeWorker) ExitError() error {
	if w.crashed.Load() && w.launcher.exit != nil {
		return w.launcher.exit
	}
	if w.crashed.Load() {
		return errs.New(errs.EngineCrashed, "killed by signal 11")
	}
	return nil
}

func (w *fakeWorker) end() {
	w.once.Do(func() { w.launcher.alive.Add(-1); close(w.done) })
}

func (w *fakeWorker) crash() { w.crashed.Store(true); w.end() }
