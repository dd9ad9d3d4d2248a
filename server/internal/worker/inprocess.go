package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// leastStop is how long an engine in the gateway's own process may take to end,
// at least: it cannot be killed, and what it holds is not free before.
const leastStop = 5 * time.Second

// InProcess launches engines in the gateway's own process, and hands what it
// does not know on to another launcher. Make one with NewInProcess.
type InProcess struct {
	log     *slog.Logger
	engines map[string]func() engines.Engine
	next    Launcher

	mu     sync.Mutex
	closed bool
	live   map[*local]struct{}
	busy   sync.WaitGroup // workers that have not ended; joined under mu
}

var _ Launcher = (*InProcess)(nil)

// NewInProcess makes a launcher of the engines that are built into the gateway,
// by their names in the configuration. A Spec without a command names one of
// them; all others go to next.
func NewInProcess(log *slog.Logger, built map[string]func() engines.Engine, next Launcher) *InProcess {
	return &InProcess{log: log, engines: built, next: next, live: map[*local]struct{}{}}
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
		return nil, unavailable(spec, "the configuration names no program for it, and it is not built in")
	}
	w := &local{spec: spec, log: l.log.With("model", spec.Model, "engine", spec.Engine), done: make(chan struct{})}
	w.fails = &failures{model: spec.Model, ended: w.done, exitError: w.ExitError}
	var err error
	if w.engine, err = engines.ServeInProcess(build(), w.log); err != nil {
		return nil, unavailable(spec, "it cannot be served").WithCause(err)
	}
	if w.desc, err = w.engine.Client().Describe(ctx, &enginev1.DescribeRequest{}); err != nil {
		w.engine.Stop(leastStop)
		if ctx.Err() != nil {
			return nil, errs.From(ctx.Err())
		}
		return nil, unavailable(spec, "it does not tell what it is").WithCause(err)
	}
	if err := l.begin(w); err != nil {
		w.engine.Stop(leastStop)
		return nil, err
	}
	w.ended = func() { l.forget(w) }
	return w, nil
}

func (l *InProcess) begin(w *local) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errs.New(errs.Draining, "the server is shutting down")
	}
	l.live[w] = struct{}{}
	l.busy.Add(1)
	return nil
}

func (l *InProcess) forget(w *local) {
	l.mu.Lock()
	delete(l.live, w)
	l.mu.Unlock()
	l.busy.Done()
}

// Close stops the engines that still run in this process and waits for them. It
// leaves the other launcher alone.
func (l *InProcess) Close() error {
	l.mu.Lock()
	l.closed = true
	live := make([]*local, 0, len(l.live))
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

// local is a worker in the gateway's own process.
type local struct {
	spec   Spec
	log    *slog.Logger
	engine *engines.InProcess
	desc   *enginev1.DescribeResponse
	fails  *failures
	ended  func()

	once      sync.Once
	loadSteps atomic.Uint64
	done      chan struct{}
}

var _ Worker = (*local)(nil)

// PID implements Worker: it is the gateway's.
func (w *local) PID() int { return os.Getpid() }

// Description implements Worker.
func (w *local) Description() *enginev1.DescribeResponse { return w.desc }

// Load implements Worker.
func (w *local) Load(ctx context.Context, progress func(fraction float64)) (*enginev1.LoadResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := w.engine.Client().Load(ctx, w.spec.Load)
	if err != nil {
		return nil, w.fails.explain(ctx, err)
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, w.fails.broken(ctx, errs.New(errs.Internal, "the engine of model %q ended its load without a model", w.spec.Model))
		}
		if err != nil {
			return nil, w.fails.explain(ctx, err)
		}
		w.loadSteps.Add(1)
		progress(min(float64(resp.GetProgress()), 1))
		if resp.GetReady() {
			return resp, nil
		}
	}
}

// Run implements Worker.
func (w *local) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	stream, err := w.engine.Client().Run(ctx)
	if err != nil {
		return nil, w.fails.explain(ctx, err)
	}
	return &runStream{Engine_RunClient: stream, failures: w.fails, ctx: ctx}, nil
}

// WorkCount implements Worker.
func (w *local) WorkCount() uint64 { return w.engine.WorkCount() + w.loadSteps.Load() }

// MemoryBytes implements Worker. What an engine takes of the gateway's own
// memory cannot be told apart from the rest, so nothing is measured: it is
// charged what was declared for it.
func (w *local) MemoryBytes() (int64, error) { return 0, nil }

// Stop implements Worker. The calls under way are cancelled at once, whatever the
// grace; it is how long they and the model may take to end, but never less than a
// few seconds. An engine that takes longer is given up, with what it holds.
func (w *local) Stop(grace time.Duration) {
	w.once.Do(func() {
		go func() {
			if bound := max(grace, leastStop); !w.engine.Stop(bound) {
				w.log.Error("an engine in the gateway's process does not end and is given up", "waited", bound)
			}
			close(w.done)
			w.ended()
		}()
	})
}

// Done implements Worker.
func (w *local) Done() <-chan struct{} { return w.done }

// ExitError implements Worker: such a worker ends only when it is stopped.
func (w *local) ExitError() error { return nil }
