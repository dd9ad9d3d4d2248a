package lifecycle_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

const (
	// soakSeedVariable sets the seed of the clients' choices,
	// soakOperationsVariable the length of the run.
	soakSeedVariable       = "MODELGATEWAY_SOAK_SEED"
	soakOperationsVariable = "MODELGATEWAY_SOAK_OPERATIONS"

	mib          = int64(1) << 20
	soakBudget   = 150 * mib
	soakPeriod   = 50 * time.Millisecond
	soakClients  = 10
	soakDeadline = 30 * time.Second
)

// soakModels are the models of the soak. A process holds what it allocates and
// about 8 MiB more.
func soakModels(t *testing.T, engine string) []lifecycle.ModelSpec {
	t.Helper()
	model := func(name string, declared, allocates int64, p gatewayv1.Priority, parameters map[string]any) lifecycle.ModelSpec {
		all := map[string]any{"allocate_bytes": allocates}
		maps.Copy(all, parameters)
		s, err := structpb.NewStruct(all)
		if err != nil {
			t.Fatal(err)
		}
		return lifecycle.ModelSpec{
			Name: name, DeclaredBytes: declared, Priority: p,
			Worker: worker.Spec{
				Model: name, Engine: "fault", Command: []string{engine},
				Load: &enginev1.LoadRequest{ModelName: name, MaxConcurrency: 4, ThreadCount: 1, Parameters: s},
			},
			IdleTimeout: 2 * time.Second, Threads: 1, MaxConcurrency: 4, MaxQueue: 64, ProgressTimeout: 20 * time.Second,
		}
	}
	const (
		low      = gatewayv1.Priority_PRIORITY_LOW
		normal   = gatewayv1.Priority_PRIORITY_NORMAL
		high     = gatewayv1.Priority_PRIORITY_HIGH
		critical = gatewayv1.Priority_PRIORITY_CRITICAL
	)
	return []lifecycle.ModelSpec{
		model("honest-critical", 40*mib, 24*mib, critical, nil),
		model("honest-high", 30*mib, 16*mib, high, nil),
		model("honest-low", 22*mib, 8*mib, low, nil),
		model("slow", 22*mib, 8*mib, normal, map[string]any{"load_ms": 100}),
		model("stubborn", 22*mib, 8*mib, normal, map[string]any{"ignore_sigterm": true}),
		model("grower", 16*mib, 48*mib, normal, nil),
		model("big-grower", 16*mib, 64*mib, low, nil),
		model("leaker", 22*mib, 8*mib, low, map[string]any{"leak_bytes_per_second": 64 * mib}),
		// These two do not fit together.
		model("alternate-a", 78*mib, 64*mib, normal, nil),
		model("alternate-b", 78*mib, 64*mib, normal, nil),
	}
}

func buildEngine(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engine-fault")
	out, err := exec.Command("go", "build", "-o", path, "github.com/lexilingo/modelgateway/cmd/engine-fault").CombinedOutput()
	if err != nil {
		t.Fatalf("build engine-fault: %v\n%s", err, out)
	}
	return path
}

func fromEnvironment(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// realSoak is a run of real workers under random clients.
type realSoak struct {
	t       *testing.T
	m       *lifecycle.Manager
	witness *witness
	models  []lifecycle.ModelSpec

	operations, acquires, ends, cancelled atomic.Int64
	target                                int64

	mu      sync.Mutex
	served  map[string]int
	refused map[string]int
	longest map[string]time.Duration
}

// TestSoakWithRealWorkers runs thousands of operations on real processes, some of
// which exceed their declared size, leak, crash or ignore SIGTERM, and checks the
// manager's guarantees.
func TestSoakWithRealWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	defer goleak.VerifyNone(t)
	seed := fromEnvironment(t, soakSeedVariable, uint64(time.Now().UnixNano()))
	t.Logf("%s=%d", soakSeedVariable, seed)
	engine := buildEngine(t)
	quiet := slog.New(slog.DiscardHandler)
	host, err := worker.NewHost(worker.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s := &realSoak{
		t: t, witness: newWitness(t, host), models: soakModels(t, engine),
		target: int64(fromEnvironment(t, soakOperationsVariable, 10_000)),
		served: map[string]int{}, refused: map[string]int{}, longest: map[string]time.Duration{},
	}
	s.m, err = lifecycle.New(lifecycle.Options{
		BudgetBytes: soakBudget, CPUThreads: 2, StateDir: t.TempDir(), SamplePeriod: soakPeriod,
		StopGrace: 300 * time.Millisecond, HandoverAfter: 300 * time.Millisecond, CPUQuantum: 100 * time.Millisecond,
		CooldownBase: 50 * time.Millisecond, CooldownMax: time.Second, Logger: quiet,
	}, s.models, s.witness)
	if err != nil {
		t.Fatal(err)
	}
	watching, stop := context.WithCancel(t.Context())
	var monitor sync.WaitGroup
	var highest int64
	// A step is a sample, and the time that a busy machine takes to act on it.
	monitor.Go(func() { highest = s.witness.monitor(watching, soakBudget, soakPeriod+450*time.Millisecond) })

	began := time.Now()
	s.clients(seed)
	took := time.Since(began)
	stop()
	monitor.Wait()
	s.checkCounts()
	drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(s.m.Shutdown(drain), host.Close()); err != nil {
		t.Error(err)
	}
	if alive := s.witness.survivors(); len(alive) > 0 {
		t.Errorf("processes %v still run", alive)
	}
	t.Logf("%d operations in %s: served %v, refused %v, %d cancelled, %d launches, longest waits %v, %d leases lost to growth, highest memory %d of %d MiB",
		s.operations.Load(), took.Round(time.Second), s.served, s.refused, s.cancelled.Load(), s.witness.launches.Load(),
		s.longest, s.witness.lost.Load(), highest>>20, soakBudget>>20)
}

// clients runs the clients until the operations are done.
func (s *realSoak) clients(seed uint64) {
	var wg sync.WaitGroup
	for i := range soakClients {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for s.operations.Load() < s.target {
				s.burst(r)
			}
		})
	}
	// Two more always request the two models that do not fit together.
	for _, name := range []string{"alternate-a", "alternate-b"} {
		r := rand.New(rand.NewPCG(seed, uint64(len(name)+int(name[len(name)-1]))))
		wg.Go(func() {
			for s.operations.Load() < s.target {
				s.request(r, name)
			}
		})
	}
	wg.Wait()
}

// burst is a series of operations of a client on one model.
func (s *realSoak) burst(r *rand.Rand) {
	name := s.models[r.IntN(len(s.models)-2)].Name
	for range 10 + r.IntN(60) {
		if s.operations.Load() >= s.target {
			return
		}
		switch n := r.IntN(400); n {
		case 0, 1:
			s.operations.Add(1)
			s.tolerate(s.m.Load(s.context(r), lifecycle.LoadRequest{Model: name, Priority: gatewayv1.Priority_PRIORITY_LOW}, func(lifecycle.LoadProgress) {}))
		case 2:
			s.operations.Add(1)
			_, err := s.m.Unload(s.context(r), name)
			s.tolerate(err)
		case 3:
			s.operations.Add(1)
			_, err := s.m.Plan(s.context(r), name, 0)
			s.tolerate(err)
		default:
			s.request(r, name)
		}
	}
}

// context returns a long deadline for most callers, a short one for some, and
// lets some leave early.
func (s *realSoak) context(r *rand.Rand) context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), soakDeadline)
	switch r.IntN(40) {
	case 0:
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1+r.IntN(500))*time.Millisecond)
	case 1:
		timer := time.AfterFunc(time.Duration(r.IntN(50))*time.Millisecond, cancel)
		context.AfterFunc(ctx, func() { timer.Stop() })
	}
	s.t.Cleanup(cancel)
	return ctx
}

// request is one lease from its beginning to its end.
func (s *realSoak) request(r *rand.Rand, name string) {
	s.operations.Add(1)
	s.acquires.Add(1)
	ctx := s.context(r)
	began := time.Now()
	lease, err := s.m.Acquire(ctx, lifecycle.Request{Model: name})
	waited := time.Since(began)
	s.mu.Lock()
	s.longest[name] = max(s.longest[name], waited.Round(time.Millisecond))
	s.mu.Unlock()
	if waited > soakDeadline+5*time.Second {
		s.t.Errorf("a request for %s waited %s", name, waited)
	}
	if err != nil {
		s.ends.Add(1)
		s.tolerate(err)
		return
	}
	w, ok := lease.Worker().(*witnessed)
	if !ok {
		s.t.Errorf("the worker is a %T", lease.Worker())
		return
	}
	w.leases.Add(1)
	err = s.work(ctx, r, lease)
	if err != nil && ctx.Err() == nil {
		w.lost(lease, err)
	}
	w.leases.Add(-1)
	lease.Release(err)
	s.ends.Add(1)
	if err == nil {
		s.mu.Lock()
		s.served[name]++
		s.mu.Unlock()
		return
	}
	s.tolerate(err)
}

// work makes the worker echo, and at times kills it or makes it crash.
func (s *realSoak) work(ctx context.Context, r *rand.Rand, lease *lifecycle.Lease) error {
	method := "echo"
	switch r.IntN(1500) {
	case 0:
		method = "crash"
	case 1:
		if err := syscall.Kill(lease.Worker().PID(), syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	stream, err := lease.Run(ctx)
	if err != nil {
		return err
	}
	// If Send fails, Recv returns the better error.
	if stream.Send(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Invoke{Invoke: &enginev1.InvokeTask{Method: method}}}) == nil {
		_ = stream.CloseSend()
	}
	_, err = stream.Recv()
	return err
}

// tolerate counts an error, and fails the test on one that these workers and
// clients cannot cause.
func (s *realSoak) tolerate(err error) {
	if err == nil {
		return
	}
	reason := errs.ReasonOf(err)
	switch reason {
	case errs.Cancelled:
		s.cancelled.Add(1)
	case errs.DeadlineExceeded, errs.EngineCrashed, errs.MemoryBusy, errs.LoadCooldown, errs.QueueFull:
	default:
		s.t.Errorf("unexpected: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[errs.ReasonName(reason)]++
}

// checkCounts checks that every request ended once, that no lease and no request
// is left, and that no model starved.
func (s *realSoak) checkCounts() {
	s.t.Helper()
	totals, err := s.m.Totals(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if totals.Requests != s.acquires.Load() || s.ends.Load() != s.acquires.Load() {
		s.t.Errorf("%d requests, %d ends, the manager counted %d", s.acquires.Load(), s.ends.Load(), totals.Requests)
	}
	models, err := s.m.Models(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range models {
		if m.GetActiveCount() != 0 || m.GetQueuedCount() != 0 {
			s.t.Errorf("%s has %d leases and %d waiters", m.GetName(), m.GetActiveCount(), m.GetQueuedCount())
		}
		if s.served[m.GetName()] == 0 {
			s.t.Errorf("%s was never served", m.GetName())
		}
	}
	a, b := s.served["alternate-a"], s.served["alternate-b"]
	// How often they alternate depends on how long the loads take on this machine.
	if min(a, b)*30 < max(a, b) {
		s.t.Errorf("one alternating model starves: %d and %d", a, b)
	}
	if totals.ThreadsUsed != 0 {
		s.t.Errorf("%d threads at work after the last request", totals.ThreadsUsed)
	}
}
