package worker

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// minStopTime is the least time that an engine in the server's process gets to
// end: it cannot be killed, and its memory is free only when it has ended.
const minStopTime = 5 * time.Second

// InProcess launches engines that are built into the server, in the server's own
// process. Other engines it gives to another launcher. Make one with NewInProcess.
type InProcess struct {
	log     *slog.Logger
	engines map[string]func() engines.Engine
	next    Launcher

	mu     sync.Mutex
	closed bool
	live   map[*inProcessWorker]struct{}
	busy   sync.WaitGroup // workers that have not ended; added to under mu
}

var _ Launcher = (*InProcess)(nil)

// NewInProcess returns a launcher for the engines in built, by their names in the
// configuration. A Spec without a command is for one of them; others go to next.
func NewInProcess(log *slog.Logger, built map[string]func() engines.Engine, next Launcher) *InProcess {
	return &InProcess{log: log, engines: built, next: next, live: map[*inProcessWorker]struct{}{}}
}

// Launch implements Launcher.
func (l *InProcess) Launch(ctx context.Context, spec Spec) (Worker, error) {
	if len(spec.Command) > 0 {
		return l.next.Launch(ctx, spec)
	}
	if err := ctx.Err(); err != nil {
		return nil, errs.From(err)
	}
	build, ok := l.engines[spec.Engine]
	if !ok {
		return nil, unavailable(spec, "it has no command in the configuration, and is not built into the server")
	}
	w := &inProcessWorker{spec: spec, log: l.log.With("model", spec.Model, "engine", spec.Engine), done: make(chan struct{})}
	w.failures = &failures{model: spec.Model, folders: foldersOf(spec), ended: w.done, exitError: w.ExitError}
	var err error
	if w.engine, err = engines.ServeInProcess(build(), w.log); err != nil {
		return nil, unavailable(spec, "its service cannot be started").WithCause(err)
	}
	if w.desc, err = w.engine.Client().Describe(ctx, &enginev1.DescribeRequest{}); err != nil {
		w.engine.Stop(minStopTime)
		if ctx.Err() != nil {
			return nil, errs.From(ctx.Err())
		}
		return nil, unavailable(spec, "it does not answer").WithCause(err)
	}
	if err := l.begin(w); err != nil {
		w.engine.Stop(minStopTime)
		return nil, err
	}
	w.ended = func() { l.forget(w) }
	return w, nil
}

func (l *InProcess) begin(w *inProcessWorker) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errs.ShuttingDown()
	}
	l.live[w] = struct{}{}
	l.busy.Add(1)
	return nil
}

func (l *InProcess) forget(w *inProcessWorker) {
	l.mu.Lock()
	delete(l.live, w)
	l.mu.Unlock()
	l.busy.Done()
}

// Close stops the engines that still run in this process and waits for them. It
// does not close the other launcher.
func (l *InProcess) Close() error {
	l.mu.Lock()
	l.closed = true
	live := make([]*inProcessWorker, 0, len(l.live))
	for w := range l.live {
		live = append(live, w)
	}
	l.mu.Unlock()
	for _, w := range live {
		w.Stop(0)
	}
	l.busy.Wait()
	return nil
}

// inProcessWorker is a worker in the server's own process.
type inProcessWorker struct {
	spec     Spec
	log      *slog.Logger
	engine   *engines.InProcess
	desc     *enginev1.DescribeResponse
	failures *failures
	ended    func()

	once      sync.Once
	loadSteps atomic.Uint64
	done      chan struct{}
}

var _ Worker = (*inProcessWorker)(nil)

// PID implements Worker: it is that of the server.
func (w *inProcessWorker) PID() int { return os.Getpid() }

// Description implements Worker.
func (w *inProcessWorker) Description() *enginev1.DescribeResponse { return w.desc }

// Load implements Worker.
func (w *inProcessWorker) Load(ctx context.Context, progress func(fraction float64)) (*enginev1.LoadResponse, error) {
	return load(ctx, w.engine.Client(), w.spec.Load, w.failures, w.log, &w.loadSteps, progress)
}

// Run implements Worker.
func (w *inProcessWorker) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	stream, err := w.engine.Client().Run(ctx)
	if err != nil {
		return nil, w.failures.explain(ctx, err)
	}
	return &runStream{Engine_RunClient: stream, failures: w.failures, ctx: ctx}, nil
}

// WorkCount implements Worker.
func (w *inProcessWorker) WorkCount() uint64 { return w.engine.WorkCount() + w.loadSteps.Load() }

// MemoryBytes implements Worker. The engine's part of the server's memory cannot
// be measured, so it returns 0: the charge is what the configuration declares.
func (w *inProcessWorker) MemoryBytes() (int64, error) { return 0, nil }

// Suspend implements Worker.
func (w *inProcessWorker) Suspend() {}

// Continue implements Worker.
func (w *inProcessWorker) Continue() {}

// Stop implements Worker. Calls that run are cancelled at once. They and the model
// get grace to end, but at least minStopTime. If an engine takes longer, its memory
// is not freed.
func (w *inProcessWorker) Stop(grace time.Duration) {
	w.once.Do(func() {
		go func() {
			if limit := max(grace, minStopTime); !w.engine.Stop(limit) {
				w.log.Error("an engine in the server's process did not end; its memory is not freed", "waited", limit)
			}
			close(w.done)
			w.ended()
		}()
	})
}

// Done implements Worker.
func (w *inProcessWorker) Done() <-chan struct{} { return w.done }

// ExitError implements Worker. It is nil: such a worker ends only when stopped.
func (w *inProcessWorker) ExitError() error { return nil }
