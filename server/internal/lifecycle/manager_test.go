package lifecycle

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

func newManager(t *testing.T, l worker.Launcher, opts Options, specs ...ModelSpec) *Manager {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = quiet()
	}
	if opts.SamplePeriod == 0 {
		opts.SamplePeriod = time.Millisecond
	}
	m, err := New(opts, specs, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return m
}

// until waits for a state to be announced.
func until(t *testing.T, events <-chan *gatewayv1.WatchModelsResponse, state gatewayv1.ModelState) *gatewayv1.WatchModelsResponse {
	t.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the events ended before %s", stateName(state))
			}
			if e.GetToState() == state {
				return e
			}
		case <-limit.C:
			t.Fatalf("the state %s did not come", stateName(state))
		}
	}
}

func watched(t *testing.T, m *Manager) <-chan *gatewayv1.WatchModelsResponse {
	t.Helper()
	events, err := m.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestTwoHundredFirstRequestsLoadOnce(t *testing.T) {
	l := &fakeLauncher{gate: make(chan struct{})}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal, concurrency(8)))
	const n = 200
	var wg sync.WaitGroup
	failures := make(chan error, n)
	for range n {
		wg.Go(func() {
			lease, err := m.Acquire(t.Context(), Request{Model: "a"})
			if err != nil {
				failures <- err
				return
			}
			lease.Release(nil)
			lease.Release(errors.New("only the first release counts"))
		})
	}
	for {
		md, err := m.Model(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if md.GetQueuedCount() == n {
			break
		}
	}
	close(l.gate)
	wg.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	md, err := m.Model(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if l.launches.Load() != 1 || md.GetLoadCount() != 1 || md.GetRequestCount() != n || md.GetErrorCount() != 0 || md.GetActiveCount() != 0 {
		t.Errorf("%d launches, %v", l.launches.Load(), md)
	}
}

func TestCallersThatLeave(t *testing.T) {
	l := &fakeLauncher{gate: make(chan struct{})}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	events := watched(t, m)
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := m.Acquire(ctx, Request{Model: "a"}); errs.ReasonOf(err) != errs.Cancelled {
				t.Errorf("got %v", err)
			}
		})
	}
	until(t, events, loading)
	leave()
	wg.Wait()
	until(t, events, unloaded)
	if l.alive.Load() != 0 {
		t.Error("the cancelled load left a process")
	}
}

func TestAnExpiredDeadlineIsReported(t *testing.T) {
	l := &fakeLauncher{gate: make(chan struct{})}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := m.Acquire(ctx, Request{Model: "a"})
	if errs.ReasonOf(err) != errs.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
}

func TestACrashEndsTheLease(t *testing.T) {
	l := &fakeLauncher{}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	lease, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if info := lease.Info(); info.Worker != (WorkerID{Model: "a", Launch: 1}) || lease.Worker() == nil || lease.Cause() != nil {
		t.Errorf("lease %+v on %+v", lease, info)
	}
	stream, err := lease.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.worker().crash()
	_, got := stream.Recv()
	if errs.ReasonOf(got) != errs.EngineCrashed || errs.From(got).Message() != "killed by signal 11" {
		t.Errorf("explained as %v", got)
	}
	<-lease.Done()
	lease.Release(lease.Cause())
	again, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if id := again.Info().Worker; id != (WorkerID{Model: "a", Launch: 2}) {
		t.Errorf("the next worker is %+v", id)
	}
	again.Release(nil)
	md, err := m.Model(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if md.GetErrorCount() != 1 || md.GetLastEviction().GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_CRASHED {
		t.Errorf("%v", md)
	}
}

// A worker that the kernel kills for lack of memory is told apart from one that crashes.
func TestOutOfMemory(t *testing.T) {
	l := &fakeLauncher{exit: errs.New(errs.EngineCrashed, "killed by the kernel").WithCause(worker.ErrOutOfMemory)}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb, CrashLimit: 1}, spec("a", 80*mb, normal))
	lease, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	l.worker().crash()
	<-lease.Done()
	lease.Release(lease.Cause())
	md, err := m.Model(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if e := md.GetLastEviction(); e.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_OUT_OF_MEMORY || e.GetDetail() != "killed by the kernel" {
		t.Errorf("the unload is %v", e)
	}
	if md.GetState() != failed { // it is a crash as well
		t.Errorf("after as many crashes as allowed the state is %v", md.GetState())
	}
}

func TestALaunchThatFails(t *testing.T) {
	l := &fakeLauncher{err: errs.New(errs.EngineUnavailable, "libllama.so is missing")}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb, CooldownBase: time.Minute}, spec("a", 80*mb, normal))
	if _, err := m.Acquire(t.Context(), Request{Model: "a"}); errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("got %v", err)
	}
	if _, err := m.Acquire(t.Context(), Request{Model: "a"}); errs.ReasonOf(err) != errs.LoadCooldown {
		t.Errorf("got %v", err)
	}
	md, err := m.Model(t.Context(), "a")
	if err != nil || md.GetState() != failed || md.GetFailure().GetReason() != errs.EngineUnavailable {
		t.Errorf("%v %v", md, err)
	}
	if _, err := m.Unload(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if md, err = m.Model(t.Context(), "a"); err != nil || md.GetState() != unloaded {
		t.Errorf("%v %v", md, err)
	}
}

func TestLoadReportsAndPins(t *testing.T) {
	l := &fakeLauncher{gate: make(chan struct{})}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal, idleAfter(time.Nanosecond)))
	var seen []LoadProgress
	err := m.Load(t.Context(), LoadRequest{Model: "a", Pin: true}, func(p LoadProgress) {
		seen = append(seen, p)
		if p.Fraction == 0.5 && p.State == loading {
			select {
			case <-l.gate:
			default:
				close(l.gate)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if last := seen[len(seen)-1]; last.State != ready || last.Fraction != 1 {
		t.Errorf("the last report is %+v", last)
	}
	md, err := m.Model(t.Context(), "a")
	if err != nil || !md.GetPinned() || md.GetState() != ready || md.GetMemory().GetChargedBytes() != 80*mb {
		t.Errorf("%v %v", md, err)
	}
	freed, err := m.Unload(t.Context(), "a")
	if err != nil || freed != 80*mb || l.alive.Load() != 0 {
		t.Errorf("freed %d, %v, %d alive", freed, err, l.alive.Load())
	}
}

func TestShutdownWaitsForLeases(t *testing.T) {
	l := &fakeLauncher{}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	lease, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Shutdown(context.Background()) }()
	for {
		totals, err := m.Totals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if totals.ShuttingDown {
			break
		}
	}
	if _, err := m.Acquire(t.Context(), Request{Model: "a"}); errs.ReasonOf(err) != errs.Draining {
		t.Errorf("got %v", err)
	}
	select {
	case <-done:
		t.Fatal("did not wait for the lease")
	case <-lease.Done():
		t.Fatal("the lease was taken away")
	default:
	}
	lease.Release(nil)
	if err := <-done; err != nil || l.alive.Load() != 0 {
		t.Errorf("%v, %d alive", err, l.alive.Load())
	}
	if _, err := m.Acquire(t.Context(), Request{Model: "a"}); errs.ReasonOf(err) != errs.Draining {
		t.Errorf("after the end: %v", err)
	}
	if _, err := m.Models(t.Context()); errs.ReasonOf(err) != errs.Draining {
		t.Errorf("after the end: %v", err)
	}
}

// Requests that were there before the shutdown are served, those that wait for a
// load too.
func TestShutdownServesTheQueue(t *testing.T) {
	for name, timeout := range map[string]bool{"in time": false, "not in time": true} {
		t.Run(name, func(t *testing.T) {
			l := &fakeLauncher{gate: make(chan struct{})}
			m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
			answers := make(chan error, 3)
			for range cap(answers) {
				go func() {
					lease, err := m.Acquire(context.Background(), Request{Model: "a"})
					if err == nil {
						lease.Release(nil)
					}
					answers <- err
				}()
			}
			queued := func() int {
				q, err := m.Queues(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return q[0].Queued
			}
			for queued() < cap(answers) {
				time.Sleep(time.Millisecond)
			}
			loads := make(chan error, 1)
			go func() { loads <- m.Load(context.Background(), LoadRequest{Model: "a"}, nil) }()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- m.Shutdown(ctx) }()
			if err := <-loads; errs.ReasonOf(err) != errs.Draining { // no request waits for it
				t.Errorf("the load: %v", err)
			}
			want := errs.Reason(0)
			if timeout {
				want = errs.Draining
				cancel()
			} else {
				close(l.gate)
			}
			for range cap(answers) {
				if err := <-answers; errs.ReasonOf(err) != want {
					t.Errorf("got %v", err)
				}
			}
			if err := <-done; err != nil || l.alive.Load() != 0 {
				t.Errorf("%v, %d alive", err, l.alive.Load())
			}
		})
	}
}

func TestCloseTakesLeasesAway(t *testing.T) {
	l := &fakeLauncher{}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal))
	lease, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	<-lease.Done()
	if errs.ReasonOf(lease.Cause()) != errs.Draining || l.alive.Load() != 0 {
		t.Errorf("cause %v, %d alive", lease.Cause(), l.alive.Load())
	}
	lease.Release(lease.Cause())
}

func TestASlowWatcherLearnsHowManyEventsItLost(t *testing.T) {
	l := &fakeLauncher{}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal), spec("b", 1*mb, normal))
	slow := watched(t, m)
	for range watchBuffer {
		if err := m.Load(t.Context(), LoadRequest{Model: "a"}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Unload(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b"} {
		if e := <-slow; e.GetName() != name || e.GetFromState() != 0 || e.GetToState() != unloaded {
			t.Errorf("first event %v", e)
		}
	}
	got := int64(2)
	for len(slow) > 0 {
		<-slow
		got++
	}
	if err := m.Load(t.Context(), LoadRequest{Model: "a"}, nil); err != nil {
		t.Fatal(err)
	}
	// LOADING, READY, DRAINING, UNLOADED in each round, and the first events.
	if e := <-slow; e.GetDroppedCount() != 4*watchBuffer+2-got || e.GetToState() != loading {
		t.Errorf("after %d events: %v", got, e)
	}
	if e := <-slow; e.GetDroppedCount() != 0 || e.GetToState() != ready {
		t.Errorf("then %v", e)
	}
}

func TestPlanExplainsWhatALoadWouldDo(t *testing.T) {
	l := &fakeLauncher{}
	missing := func(m *ModelSpec) {
		m.Estimate = func() (int64, error) { return 0, errs.New(errs.ModelFileMissing, "no such file") }
	}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb},
		spec("cheap", 20*mb, low), spec("work", 40*mb, low), spec("new", 60*mb, normal), spec("huge", 200*mb, normal), spec("missing", mb, low, missing))
	for _, name := range []string{"cheap", "work"} {
		if err := m.Load(t.Context(), LoadRequest{Model: name}, nil); err != nil {
			t.Fatal(err)
		}
	}
	lease, err := m.Acquire(t.Context(), Request{Model: "work"})
	if err != nil {
		t.Fatal(err)
	}
	plan := func(name string) *gatewayv1.PlanLoadResponse {
		t.Helper()
		p, err := m.Plan(t.Context(), name, 0)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := plan("new")
	if p.GetOutcome() != gatewayv1.LoadOutcome_LOAD_OUTCOME_FITS_AFTER_EVICTION || len(p.GetEvictions()) != 1 ||
		p.GetEvictions()[0].GetName() != "cheap" || p.GetKept()[0].GetWhy() != "running 1 request" ||
		p.GetFreeBytes() != 40*mb || p.GetRequiredSource() != "declared" {
		t.Errorf("%v", p)
	}
	if p := plan("huge"); p.GetOutcome() != gatewayv1.LoadOutcome_LOAD_OUTCOME_NEVER_FITS || p.GetExplanation() == "" {
		t.Errorf("%v", p)
	}
	if p := plan("work"); p.GetOutcome() != gatewayv1.LoadOutcome_LOAD_OUTCOME_ALREADY_LOADED {
		t.Errorf("%v", p)
	}
	if _, err := m.Plan(t.Context(), "missing", 0); errs.ReasonOf(err) != errs.ModelFileMissing {
		t.Errorf("got %v", err)
	}
	if _, err := m.Plan(t.Context(), "unknown", 0); errs.ReasonOf(err) != errs.ModelNotFound {
		t.Errorf("got %v", err)
	}
	lease.Release(nil)
	models, err := m.Models(t.Context())
	if err != nil || len(models) != 5 || models[0].GetState() != ready {
		t.Errorf("planning changed something: %v %v", models, err)
	}
	if models[0].GetEvictionRank() != 1 || models[1].GetEvictionRank() != 2 {
		t.Errorf("ranks %d %d", models[0].GetEvictionRank(), models[1].GetEvictionRank())
	}
}

func TestNewChecksItsArguments(t *testing.T) {
	for name, f := range map[string]func() (*Manager, error){
		"no budget":   func() (*Manager, error) { return New(Options{}, nil, &fakeLauncher{}) },
		"no launcher": func() (*Manager, error) { return New(Options{BudgetBytes: 1}, nil, nil) },
		"used twice": func() (*Manager, error) {
			return New(Options{BudgetBytes: 1}, []ModelSpec{{Name: "a"}, {Name: "a"}}, &fakeLauncher{})
		},
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	opts := Options{BudgetBytes: 100 * mb, Logger: quiet()}
	m, err := New(opts, []ModelSpec{spec("a", 10*mb, normal), spec("b", 10*mb, normal), spec("c", 10*mb, normal)}, &fakeLauncher{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l, err := m.Acquire(b.Context(), Request{Model: "a"})
		if err != nil {
			b.Fatal(err)
		}
		l.Release(nil)
	}
	if err := m.Close(); err != nil {
		b.Fatal(err)
	}
}
