package worker

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// instance is a running worker.
type instance struct {
	process *process
	engine  enginev1.EngineClient
	desc    *enginev1.DescribeResponse
	fails   *failures

	life context.Context // ends when the process is reaped
	end  context.CancelFunc

	watched   chan struct{} // closed when the Watch stream has ended
	reported  atomic.Uint64 // the last report's count
	loadSteps atomic.Uint64 // load progress, for engines that do not count it
}

var _ Worker = (*instance)(nil)

func newInstance(p *process, engine enginev1.EngineClient, desc *enginev1.DescribeResponse) *instance {
	w := &instance{process: p, engine: engine, desc: desc, watched: make(chan struct{})}
	w.fails = &failures{model: p.spec.Model, ended: p.done, exitError: p.exitError}
	w.life, w.end = context.WithCancel(context.Background())
	return w
}

// finish holds the Watch stream open, and cleans up after the process's end.
func (w *instance) finish(client *plugin.Client) {
	go w.watch()
	<-w.process.done
	w.end()
	<-w.watched
	w.process.host.cleanUp(w.process, client)
}

// watch reads the worker's reports. The open stream tells the worker that the
// gateway lives.
func (w *instance) watch() {
	defer close(w.watched)
	stream, err := w.engine.Watch(w.life, &enginev1.WatchRequest{})
	for err == nil {
		var report *enginev1.WatchResponse
		if report, err = stream.Recv(); err == nil {
			w.reported.Store(report.GetWorkCount())
		}
	}
	if !w.fails.awaitEnd(context.Background()) {
		w.process.log.Warn("the worker stopped reporting", "pid", w.PID(), "error", err)
	}
}

// PID implements Worker.
func (w *instance) PID() int { return w.process.pid }

// Description implements Worker.
func (w *instance) Description() *enginev1.DescribeResponse { return w.desc }

// Load implements Worker.
func (w *instance) Load(ctx context.Context, progress func(fraction float64)) (*enginev1.LoadResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := w.engine.Load(ctx, w.process.spec.Load)
	if err != nil {
		return nil, w.fails.explain(ctx, err)
	}
	var best float64
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, w.fails.broken(ctx, errs.New(errs.Internal, "the engine of model %q ended its load without a model", w.process.spec.Model))
		}
		if err != nil {
			return nil, w.fails.explain(ctx, err)
		}
		if f := float64(resp.GetProgress()); f > best {
			best = f
			w.loadSteps.Add(1)
			progress(min(f, 1))
		}
		if resp.GetReady() {
			return resp, nil
		}
	}
}

// Run implements Worker.
func (w *instance) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	stream, err := w.engine.Run(ctx)
	if err != nil {
		return nil, w.fails.explain(ctx, err)
	}
	return &runStream{Engine_RunClient: stream, failures: w.fails, ctx: ctx}, nil
}

// WorkCount implements Worker.
func (w *instance) WorkCount() uint64 { return w.reported.Load() + w.loadSteps.Load() }

// MemoryBytes implements Worker.
func (w *instance) MemoryBytes() (int64, error) { return w.process.memoryBytes() }

// Stop implements Worker.
func (w *instance) Stop(grace time.Duration) { w.process.stop(grace) }

// Done implements Worker.
func (w *instance) Done() <-chan struct{} { return w.process.done }

// ExitError implements Worker.
func (w *instance) ExitError() error {
	select {
	case <-w.process.done:
		return w.process.exitError()
	default:
		return nil
	}
}
