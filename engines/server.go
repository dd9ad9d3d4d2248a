package engines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// errStopping is the cause of contexts that end with the process.
var errStopping = errors.New("the engine is stopping")

// server implements modelgateway.engine.v1.Engine for one Engine. It enforces the
// order of calls, so that engines need not.
type server struct {
	enginev1.UnimplementedEngineServer

	engine Engine
	log    *slog.Logger
	work   *WorkCounter
	active atomic.Int32

	// lifetime ends when the process begins to stop. It cancels all calls.
	lifetime context.Context
	stop     context.CancelCauseFunc

	// calls counts current loads and runs. It grows only under mu and before lifetime
	// has ended, so that shutdown can wait for it.
	calls sync.WaitGroup

	mu      sync.Mutex
	began   bool          // Load was called
	watched bool          // Watch was called
	model   Model         // nil until it is loaded
	name    string        // of the model, in the configuration
	slots   chan struct{} // one entry for each current run
}

func newServer(e Engine, log *slog.Logger) *server {
	lifetime, stop := context.WithCancelCause(context.Background())
	return &server{engine: e, log: log, work: newWorkCounter(), lifetime: lifetime, stop: stop}
}

// Describe implements enginev1.EngineServer.
func (s *server) Describe(context.Context, *enginev1.DescribeRequest) (*enginev1.DescribeResponse, error) {
	d := s.engine.Describe()
	return &enginev1.DescribeResponse{
		Name:      d.Name,
		Version:   d.Version,
		Tasks:     d.Tasks,
		Libraries: d.Libraries,
		Devices:   d.Devices,
	}, nil
}

// Load implements enginev1.EngineServer.
func (s *server) Load(req *enginev1.LoadRequest, stream enginev1.Engine_LoadServer) (err error) {
	if err := s.beginLoad(); err != nil {
		return err
	}
	defer s.calls.Done()
	defer s.recoverPanic("Load", &err)
	ctx, cancel := s.callContext(stream.Context())
	defer cancel()

	progress := &loadProgress{send: stream.Send, work: s.work}
	model, err := s.engine.Load(ctx, LoadOptions{
		ModelName:      req.GetModelName(),
		Path:           req.GetPath(),
		Device:         req.GetDevice(),
		Threads:        max(1, int(req.GetThreadCount())),
		MaxConcurrency: max(1, int(req.GetMaxConcurrency())),
		Parameters:     req.GetParameters(),
		Report:         progress.report,
		Work:           s.work,
	})
	progress.end()
	switch {
	case err == nil && model == nil:
		err = errs.New(errs.Internal, "the engine returned neither a model nor an error")
	case err == nil && ctx.Err() != nil:
		// The library could not be stopped, and the caller no longer waits.
		err = errors.Join(ctx.Err(), model.Close())
	}
	if err != nil {
		return s.callError(stream.Context(), err)
	}
	s.mu.Lock()
	s.model, s.name = model, req.GetModelName()
	s.slots = make(chan struct{}, max(1, int(req.GetMaxConcurrency())))
	s.mu.Unlock()
	return stream.Send(&enginev1.LoadResponse{
		Progress:    1,
		Ready:       true,
		Description: model.Description(),
		Tasks:       fewerTasks(s.engine.Describe().Tasks, model),
	})
}

// beginLoad counts a load as a call. It fails for all but the first.
func (s *server) beginLoad() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lifetime.Err() != nil {
		return stoppingError()
	}
	if s.began {
		return errs.New(errs.EngineUnavailable, "a worker loads one model, once: start another worker")
	}
	s.began = true
	s.calls.Add(1)
	return nil
}

// fewerTasks returns the tasks that the model implements, or nil if it implements all
// that its engine does.
func fewerTasks(engine []enginev1.Task, model Model) []enginev1.Task {
	var tasks []enginev1.Task
	for _, id := range engine {
		task, ok := findTask(func(t *Task) bool { return t.ID == id })
		if ok && task.handler.implements(model) {
			tasks = append(tasks, id)
		}
	}
	if slices.Equal(tasks, engine) {
		return nil
	}
	return tasks
}

// callContext returns a context that ends with the call's and with the process.
func (s *server) callContext(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	unhook := context.AfterFunc(s.lifetime, func() { cancel(errStopping) })
	return ctx, func() { unhook(); cancel(nil) }
}

// callError returns the typed error of a call: the caller's cancellation if there was
// one, or the end of the process, or else what the engine returned.
func (s *server) callError(caller context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case caller.Err() != nil:
		return errs.From(caller.Err())
	case s.lifetime.Err() != nil && errs.ReasonOf(err) == errs.Cancelled:
		return stoppingError()
	default:
		return errs.From(err)
	}
}

func stoppingError() error {
	return errs.New(errs.Draining, "the engine is stopping")
}

// recoverPanic turns a panic in a handler into the error INTERNAL of that call; other
// calls continue. It logs the value of the panic only if it comes from the Go
// runtime, because an engine's own value could contain a user's text.
func (s *server) recoverPanic(call string, err *error) {
	r := recover()
	if r == nil {
		return
	}
	what := fmt.Sprintf("%T", r)
	if re, ok := r.(runtime.Error); ok {
		what = re.Error()
	}
	s.log.Error("panic in the engine", "call", call, "panic", what, "stack", string(debug.Stack()))
	*err = errs.New(errs.Internal, "the engine panicked in %s: the log has the stack", call)
}

// shutdown cancels the current calls, waits for them, and closes the model. It
// returns false if that takes longer than timeout.
func (s *server) shutdown(timeout time.Duration) bool {
	s.stop(errStopping)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// No call begins after this lock, because lifetime has ended.
		s.mu.Lock()
		s.mu.Unlock() //nolint:staticcheck // only waits for calls that are about to begin
		s.calls.Wait()
		s.closeModel()
	}()
	select {
	case <-done:
		return true
	case <-time.After(timeout):
		return false
	}
}

func (s *server) closeModel() {
	if s.model == nil {
		return
	}
	var err error
	defer func() {
		if err != nil {
			s.log.Warn("closing the model failed", "error", err)
		}
	}()
	defer s.recoverPanic("Close", &err)
	err = s.model.Close()
}

// progressInterval is the shortest time between two reports on one stream.
const progressInterval = 100 * time.Millisecond

// loadProgress sends the progress of a load. It may be used by any goroutine. After
// the load it does nothing.
type loadProgress struct {
	send func(*enginev1.LoadResponse) error
	work *WorkCounter

	mu       sync.Mutex
	ended    bool
	fraction float64
	sent     time.Time
}

func (p *loadProgress) report(fraction float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || !(fraction > p.fraction) { // also false for NaN
		return
	}
	p.fraction = min(fraction, 1)
	p.work.Add(1)
	if now := time.Now(); now.Sub(p.sent) >= progressInterval {
		p.sent = now
		// A failed send means that the caller is gone, and ends the context too.
		_ = p.send(&enginev1.LoadResponse{Progress: float32(p.fraction)})
	}
}

func (p *loadProgress) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
}
