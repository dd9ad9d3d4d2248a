package worker

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// endTime is how long a broken stream waits for the process's end, to tell its
// cause.
const endTime = time.Second

// instance is a running worker.
type instance struct {
	process *process
	engine  enginev1.EngineClient
	desc    *enginev1.DescribeResponse

	life context.Context // ends when the process is reaped
	end  context.CancelFunc

	watched   chan struct{} // closed when the Watch stream has ended
	reported  atomic.Uint64 // the last report's count
	loadSteps atomic.Uint64 // load progress, for engines that do not count it
}

var _ Worker = (*instance)(nil)

func newInstance(p *process, engine enginev1.EngineClient, desc *enginev1.DescribeResponse) *instance {
	w := &instance{process: p, engine: engine, desc: desc, watched: make(chan struct{})}
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
	select {
	case <-w.process.done:
	case <-time.After(endTime):
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
		return nil, w.callError(ctx, err)
	}
	var best float64
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, errs.New(errs.Internal, "the engine of model %q ended its load without a model", w.process.spec.Model)
		}
		if err != nil {
			return nil, w.callError(ctx, err)
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
		return nil, w.callError(ctx, err)
	}
	return &runStream{Engine_RunClient: stream, worker: w, caller: ctx}, nil
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

// callError says why a call broke: what the engine answered, or, if the
// connection broke, how the process ended.
func (w *instance) callError(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) || ctx.Err() != nil || typed(err) {
		return err
	}
	if code := status.Code(err); code != codes.Unavailable && code != codes.Canceled {
		return err
	}
	select {
	case <-w.process.done:
	case <-ctx.Done():
		return err
	case <-time.After(endTime):
		return errs.New(errs.EngineCrashed, "the connection to the engine of model %q broke", w.process.spec.Model).WithCause(err)
	}
	if exit := w.process.exitError(); exit != nil {
		return exit
	}
	return errs.New(errs.EngineCrashed, "the engine of model %q was stopped", w.process.spec.Model).WithCause(err)
}

// typed tells whether the engine gave the error a reason.
func typed(err error) bool {
	st, ok := status.FromError(err)
	return ok && len(st.Details()) > 0
}

// runStream is a Run's stream whose errors tell how the process ended.
type runStream struct {
	enginev1.Engine_RunClient
	worker *instance
	caller context.Context // the stream's own ends with the stream
}

// Recv implements enginev1.Engine_RunClient.
func (r *runStream) Recv() (*enginev1.RunResponse, error) {
	resp, err := r.Engine_RunClient.Recv()
	if err != nil {
		err = r.worker.callError(r.caller, err)
	}
	return resp, err
}
