package lifecycle

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

const mb = int64(1) << 20

const (
	low      = gatewayv1.Priority_PRIORITY_LOW
	normal   = gatewayv1.Priority_PRIORITY_NORMAL
	high     = gatewayv1.Priority_PRIORITY_HIGH
	critical = gatewayv1.Priority_PRIORITY_CRITICAL
)

const (
	unloaded = gatewayv1.ModelState_MODEL_STATE_UNLOADED
	loading  = gatewayv1.ModelState_MODEL_STATE_LOADING
	ready    = gatewayv1.ModelState_MODEL_STATE_READY
	draining = gatewayv1.ModelState_MODEL_STATE_DRAINING
	failed   = gatewayv1.ModelState_MODEL_STATE_FAILED
)

// sim drives an owner synchronously, without a goroutine, and records its
// effects.
type sim struct {
	t     testing.TB
	clock *clockwork.FakeClock
	o     *owner
	store *store
	// sizing are the look-ups in progress.
	sizing []*model
	// events is the log of effects.
	events  []string
	workers map[*process]*simWorker
	// launches counts launches by model.
	launches map[string]int
	// limits are the kernel's limits on the last worker of each model.
	limits map[string]int64
	// calls counts the calls of do.
	calls int
}

// simWorker is a worker without a process.
type simWorker struct {
	work    uint64
	bytes   int64
	stopped bool
	// suspended: it must make no progress.
	suspended bool
}

func (w *simWorker) PID() int                                               { return 1 }
func (w *simWorker) Description() *enginev1.DescribeResponse                { return nil }
func (w *simWorker) WorkCount() uint64                                      { return w.work }
func (w *simWorker) MemoryBytes() (int64, error)                            { return w.bytes, nil }
func (w *simWorker) Suspend()                                               {}
func (w *simWorker) Continue()                                              {}
func (w *simWorker) Stop(time.Duration)                                     { w.stopped = true }
func (w *simWorker) Done() <-chan struct{}                                  { return nil }
func (w *simWorker) ExitError() error                                       { return nil }
func (w *simWorker) Run(context.Context) (enginev1.Engine_RunClient, error) { return nil, nil }
func (w *simWorker) Load(context.Context, func(float64)) (*enginev1.LoadResponse, error) {
	return nil, nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func newSim(t testing.TB, opts Options, specs ...ModelSpec) *sim {
	t.Helper()
	s := &sim{
		t:        t,
		clock:    clockwork.NewFakeClock(),
		store:    newStore("", opts.BudgetBytes, quiet()),
		workers:  map[*process]*simWorker{},
		launches: map[string]int{},
		limits:   map[string]int64{},
	}
	opts.Clock, opts.Logger = s.clock, quiet()
	if opts.CPUThreads == 0 {
		opts.CPUThreads = 2
	}
	s.o = newOwner(opts.withDefaults(), specs, s)
	return s
}

// spec makes a model's spec.
func spec(name string, bytes int64, p gatewayv1.Priority, change ...func(*ModelSpec)) ModelSpec {
	s := ModelSpec{
		Name: name, DeclaredBytes: bytes, Priority: p, IdleTimeout: 5 * time.Minute,
		MaxConcurrency: 4, ProgressTimeout: 30 * time.Second,
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func (s *sim) size(m *model) { s.sizing = append(s.sizing, m) }

func (s *sim) launch(_ context.Context, p *process, spec worker.Spec) {
	s.limits[p.model.spec.Name] = spec.MemoryLimitBytes
	s.events = append(s.events, "launch "+p.model.spec.Name)
	s.launches[p.model.spec.Name]++
	s.workers[p] = &simWorker{}
}

func (s *sim) stop(w worker.Worker, _ time.Duration) {
	w.(*simWorker).stopped = true
	for p, v := range s.workers {
		if v == w {
			s.events = append(s.events, "stop "+p.model.spec.Name)
		}
	}
}

func (s *sim) suspend(w worker.Worker) { s.run(w.(*simWorker), false) }

func (s *sim) proceed(w worker.Worker) { s.run(w.(*simWorker), true) }

// run records that a worker was suspended, or that it runs again.
func (s *sim) run(w *simWorker, runs bool) {
	if w.suspended != runs {
		s.t.Errorf("a worker that is suspended: %t is to run: %t", w.suspended, runs)
	}
	w.suspended = !runs
	for p, v := range s.workers {
		if v == w {
			s.events = append(s.events, map[bool]string{false: "suspend ", true: "proceed "}[runs]+p.model.spec.Name)
		}
	}
}

func (s *sim) learn(r record) { s.store.put(r) }

// do runs one call, and the look-ups that it starts.
func (s *sim) do(f func(*owner)) {
	s.t.Helper()
	s.o.do(f)
	s.checkPrediction()
	for len(s.sizing) > 0 {
		m := s.sizing[0]
		s.sizing = s.sizing[1:]
		found := lookUp(m.spec, s.store)
		s.o.do(func(*owner) { m.sized(found) })
	}
}

// checkPrediction compares the state with what the planner predicted: always in
// a short test, now and then in a long one.
func (s *sim) checkPrediction() {
	s.t.Helper()
	if s.calls++; s.calls > 500 && s.calls%64 != 0 {
		return
	}
	if predicted, got := describe(s.o.planned), describe(s.o.snapshot()); got != predicted {
		s.t.Fatalf("the decisions led to\n%s\nthe planner predicted\n%s", got, predicted)
	}
}

// request posts a request and returns its waiter.
func (s *sim) request(name string, change ...func(*waiter)) *waiter {
	w := &waiter{kind: waitLease, arrival: s.clock.Now(), result: make(chan admission, 1)}
	for _, c := range change {
		c(w)
	}
	s.do(func(o *owner) { o.acquire(w, name) })
	return w
}

func withPriority(p gatewayv1.Priority) func(*waiter) { return func(w *waiter) { w.priority = p } }

func (s *sim) within(d time.Duration) func(*waiter) {
	return func(w *waiter) { w.deadline = s.clock.Now().Add(d) }
}

// preload posts a request to load.
func (s *sim) preload(name string, pin bool) *waiter {
	w := &waiter{kind: waitLoad, pin: pin, arrival: s.clock.Now(), result: make(chan admission, 1)}
	s.do(func(o *owner) { o.preload(w, name) })
	return w
}

// loaded completes the load of a model; it holds what was reserved.
func (s *sim) loaded(name string) {
	s.t.Helper()
	p := s.proc(name)
	s.do(func(*owner) { p.launched(s.workers[p]) })
	s.do(func(*owner) { p.loaded() })
}

// reaped ends a model's process. err is its ExitError.
func (s *sim) reaped(name string, err error) {
	s.t.Helper()
	p := s.proc(name)
	s.do(func(*owner) { p.exited(err) })
}

// measured reports a sample.
func (s *sim) measured(name string, bytes int64) {
	s.t.Helper()
	p := s.proc(name)
	s.do(func(*owner) { p.sampled(bytes) })
}

func (s *sim) proc(name string) *process {
	s.t.Helper()
	p := s.o.byName[name].proc
	if p == nil {
		s.t.Fatalf("%s has no process; events: %v", name, s.events)
	}
	return p
}

func (s *sim) advance(d time.Duration) {
	s.clock.Advance(d)
	s.do(nil)
}

// lease expects that the waiter has got its lease.
func (s *sim) lease(w *waiter) *Lease {
	s.t.Helper()
	select {
	case a := <-w.result:
		if a.err != nil {
			s.t.Fatalf("the request failed: %v", a.err)
		}
		return a.lease
	default:
		s.t.Fatalf("the request for %s waits: %s; events %v", w.model.spec.Name, s.waitsFor(w), s.events)
		return nil
	}
}

// failure expects that the waiter was refused.
func (s *sim) failure(w *waiter) *errs.Error {
	s.t.Helper()
	select {
	case a := <-w.result:
		if a.err == nil {
			s.t.Fatal("the request was admitted")
		}
		return errs.From(a.err)
	default:
		s.t.Fatalf("the request for %s waits: %s", w.model.spec.Name, s.waitsFor(w))
		return nil
	}
}

func (s *sim) waitsFor(w *waiter) string {
	state := s.o.snapshot()
	return state.waitsFor(state.model(w.model.spec.Name))
}

func (s *sim) waits(w *waiter) {
	s.t.Helper()
	if w.resolved {
		a := <-w.result
		s.t.Fatalf("the request does not wait: lease %v, error %v", a.lease != nil, a.err)
	}
}

func (s *sim) release(l *Lease, err error) { s.do(func(o *owner) { o.release(l, err) }) }

func (s *sim) leave(w *waiter, err error) { s.do(func(o *owner) { o.giveUp(w, err) }) }

func (s *sim) state(name string, want gatewayv1.ModelState) {
	s.t.Helper()
	if got := s.o.byName[name].stateNow(); got != want {
		s.t.Fatalf("%s is %s, want %s; events %v", name, stateName(got), stateName(want), s.events)
	}
}

func (s *sim) reason(w *waiter, want errs.Reason) *errs.Error {
	s.t.Helper()
	e := s.failure(w)
	if e.Reason() != want {
		s.t.Fatalf("refused with %v, want %s", e, errs.ReasonName(want))
	}
	return e
}

// serve loads a model by a request and ends the request.
func (s *sim) serve(name string) {
	s.t.Helper()
	w := s.request(name)
	if !w.resolved {
		s.loaded(name)
	}
	s.release(s.lease(w), nil)
}

func threads(n int) func(*ModelSpec) { return func(s *ModelSpec) { s.Threads = n } }

func concurrency(n int) func(*ModelSpec) { return func(s *ModelSpec) { s.MaxConcurrency = n } }

func queueOf(n int) func(*ModelSpec) { return func(s *ModelSpec) { s.MaxQueue = n } }

func idleAfter(d time.Duration) func(*ModelSpec) { return func(s *ModelSpec) { s.IdleTimeout = d } }
