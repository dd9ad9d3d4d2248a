package worker

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// processWorker is a worker in its own process.
type processWorker struct {
	process  *process
	engine   enginev1.EngineClient
	desc     *enginev1.DescribeResponse
	failures *failures

	life context.Context // ends when the process is reaped
	end  context.CancelFunc

	watched   chan struct{} // closed when the Watch stream has ended
	reported  atomic.Uint64 // the last report's count
	loadSteps atomic.Uint64 // load progress, for engines that do not count it
}

var _ Worker = (*processWorker)(nil)

func newProcessWorker(p *process, engine enginev1.EngineClient, desc *enginev1.DescribeResponse) *processWorker {
	w := &processWorker{process: p, engine: engine, desc: desc, watched: make(chan struct{})}
	w.failures = &failures{model: p.spec.Model, folders: foldersOf(p.spec), ended: p.done, exitError: p.exitError}
	w.life, w.end = context.WithCancel(context.Background())
	return w
}

// finish keeps the Watch stream open and cleans up when the process has ended.
func (w *processWorker) finish(client *plugin.Client) {
	go w.watch()
	<-w.process.done
	w.end()
	<-w.watched
	w.process.host.cleanUp(w.process, client)
}

// closeWait is how long a worker that ended its reports itself may take to end: longer
// than an engine takes to close its model after SIGTERM.
const closeWait = 12 * time.Second

// watch reads the worker's reports. The worker ends when this stream does, because
// then the server has ended. One that does not, e.g. because it is suspended and its
// connection broke, cannot answer any more and is killed.
func (w *processWorker) watch() {
	defer close(w.watched)
	stream, err := w.engine.Watch(w.life, &enginev1.WatchRequest{})
	for err == nil {
		var report *enginev1.WatchResponse
		if report, err = stream.Recv(); err == nil {
			w.reported.Store(report.GetWorkCount())
		}
	}
	wait := exitWait
	if errors.Is(err, io.EOF) {
		wait = closeWait
	}
	if !w.failures.awaitEnd(context.Background(), wait) && w.process.killSilent() {
		w.process.log.Warn("the worker ended its Watch stream, but did not end: it was killed", "pid", w.PID(), "error", err)
	}
}

// PID implements Worker.
func (w *processWorker) PID() int { return w.process.pid }

// Description implements Worker.
func (w *processWorker) Description() *enginev1.DescribeResponse { return w.desc }

// Load implements Worker.
func (w *processWorker) Load(ctx context.Context, progress func(fraction float64)) (*enginev1.LoadResponse, error) {
	return load(ctx, w.engine, w.process.spec.Load, w.failures, w.process.log, &w.loadSteps, progress)
}

// Run implements Worker.
func (w *processWorker) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	stream, err := w.engine.Run(ctx)
	if err != nil {
		return nil, w.failures.explain(ctx, err)
	}
	return &runStream{Engine_RunClient: stream, failures: w.failures, ctx: ctx}, nil
}

// WorkCount implements Worker.
func (w *processWorker) WorkCount() uint64 { return w.reported.Load() + w.loadSteps.Load() }

// MemoryBytes implements Worker.
func (w *processWorker) MemoryBytes() (int64, error) { return w.process.memoryBytes() }

// Suspend implements Worker.
func (w *processWorker) Suspend() { w.process.signalGroup(syscall.SIGSTOP) }

// Continue implements Worker.
func (w *processWorker) Continue() { w.process.signalGroup(syscall.SIGCONT) }

// Stop implements Worker.
func (w *processWorker) Stop(grace time.Duration) { w.process.stop(grace) }

// Done implements Worker.
func (w *processWorker) Done() <-chan struct{} { return w.process.done }

// ExitError implements Worker.
func (w *processWorker) ExitError() error {
	select {
	case <-w.process.done:
		return w.process.exitError()
	default:
		return nil
	}
}
