// Package lifecycle manages the models of a server: it loads them on demand,
// keeps them within the memory budget, queues and admits requests, evicts idle
// models, and ends workers that hang.
//
// One goroutine, the owner (owner.go), holds all state; the methods of Manager
// post calls to it and wait for the answer. After each call the owner takes a
// snapshot of its state (snapshot.go). The planner, which has no side effects,
// turns it into decisions (planner.go, decision.go), and the owner carries them
// out (carryout.go). The owner never blocks: what uses a disk, a process or a
// socket runs in other goroutines (runner.go) and posts its result.
//
// The states of a model are UNLOADED, LOADING once its bytes are reserved,
// READY, DRAINING from the decision to unload it until its process is reaped,
// and UNLOADED again. FAILED is UNLOADED with a cooldown.
package lifecycle

import (
	"log/slog"
	"runtime"
	"time"

	"github.com/jonboulle/clockwork"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// ModelSpec is the configuration of a model.
type ModelSpec struct {
	// Name in the configuration.
	Name string
	// Tasks are the tasks that are routed to it; for display only.
	Tasks []string
	// Note is shown to operators; see gatewayv1.Model.Note.
	Note string
	// Worker says how to start and load it. MemoryLimitBytes is set by the
	// manager where it is 0.
	Worker worker.Spec
	// DeclaredBytes is its footprint by the configuration; 0 if not declared.
	DeclaredBytes int64
	// Estimate computes its footprint from its file; nil if that is not possible.
	// It is called before each load, at the start of the server and for plans, in
	// any goroutine. Its error (e.g. MODEL_FILE_MISSING) fails the load.
	Estimate func() (int64, error)
	// Fingerprint returns the key under which peak bytes and load times of earlier
	// runs are stored: file identity, engine and parameters. It is called with
	// Estimate. A failed model whose fingerprint has changed is tried again at
	// once.
	Fingerprint func() string
	// Priority orders its requests and protects it from eviction; unspecified
	// is NORMAL.
	Priority gatewayv1.Priority
	// IdleTimeout unloads it when unused for so long; 0 is never.
	IdleTimeout time.Duration
	// Pinned keeps it loaded once it is. If its process is lost, the model is
	// loaded again in the background.
	Pinned bool
	// Threads is the number of its inference threads; 0 for a model that does not
	// run on this machine.
	Threads int
	// MaxConcurrency is the most leases at once; 0 is 1.
	MaxConcurrency int
	// MaxQueue is the most requests that wait; 0 is 256.
	MaxQueue int
	// ProgressTimeout is how long a worker that is loading or has leases may make
	// no progress before it is ended; 0 is one minute.
	ProgressTimeout time.Duration
}

// Request asks for a lease.
type Request struct {
	// Model is the model's name.
	Model string
	// Priority orders the queue and says which idle models may be evicted;
	// unspecified is the model's own.
	Priority gatewayv1.Priority
	// MaxPriority limits the priority, also if it is the model's own; unspecified is
	// no limit.
	MaxPriority gatewayv1.Priority
	// Weight is the caller's share of a model that several callers want, relative to
	// theirs; 0 counts as 1.
	Weight int
	// Live is true for audio that arrives while it is processed. The time that
	// takes says nothing about the model, and silence in it is limited by
	// Options.SilenceLimit.
	Live bool
}

// LoadRequest asks for a load before the first request.
type LoadRequest struct {
	// Model is the model's name.
	Model string
	// Pin keeps the model loaded until Unload.
	Pin bool
	// Priority says which idle models may be evicted for it; unspecified is the
	// model's own.
	Priority gatewayv1.Priority
	// MaxPriority limits it, as that of a Request.
	MaxPriority gatewayv1.Priority
}

// LoadProgress is the state of a load.
type LoadProgress struct {
	// State is the state of the model.
	State gatewayv1.ModelState
	// Fraction of the load that is done, 0 to 1.
	Fraction float32
	// Remaining is the time left by earlier loads; 0 if unknown.
	Remaining time.Duration
}

// Totals are the numbers of the whole manager.
type Totals struct {
	// UsedBytes are charged to models now; BudgetBytes is the limit.
	UsedBytes, BudgetBytes int64
	// ThreadsUsed is the number of inference threads at work; Threads the limit.
	ThreadsUsed, Threads int
	// Requests counts the requests that have ended since the start, including
	// those that were refused; Errors those that failed.
	Requests, Errors int64
	// ShuttingDown is true once Shutdown was called.
	ShuttingDown bool
}

// Observer is notified of events, e.g. to count them. It is called on the owner
// goroutine and must not block.
type Observer interface {
	// StateChanged is called after a model's state changed.
	StateChanged(model string, from, to gatewayv1.ModelState)
	// LoadEnded is called when a load ended. err is nil if the model is ready, and
	// CANCELLED if the load was cancelled because every caller had left.
	LoadEnded(model string, took time.Duration, err error)
	// Unloaded is called when a model's process has ended, for whatever reason.
	Unloaded(model string, reason gatewayv1.EvictionReason)
	// MemoryChanged is called when a model's bytes were reserved, measured or
	// freed.
	MemoryChanged(model string, reserved, measured, peak int64)
}

// Options are the manager's settings; the zero value of each takes its default.
type Options struct {
	// BudgetBytes is the memory budget of all models together. Required.
	BudgetBytes int64
	// CPUThreads limits the inference threads at work; default: the cores that
	// affinity and the cgroup's quota leave to this process.
	CPUThreads int
	// StateDir is where peak bytes and load times of earlier runs are stored;
	// empty: in memory only.
	StateDir string
	// SamplePeriod is how often a worker's memory and progress are read;
	// default 250 ms.
	SamplePeriod time.Duration
	// StopGrace is how long a worker may take to exit before it is killed;
	// default 5 s.
	StopGrace time.Duration
	// HandoverAfter is how long a request waits for memory that a model at work
	// holds before that model is drained for it; default 2 s.
	HandoverAfter time.Duration
	// CPUQuantum is how long a request waits for cores that a busy model holds
	// before that model gets no new requests ahead of it, and a model's turn of the
	// cores while others wait for them; default 500 ms.
	CPUQuantum time.Duration
	// AgingStep is the wait that raises a request's place in the queue by one
	// priority; default 10 s. It does not change what the request may evict.
	AgingStep time.Duration
	// SilenceLimit is how long a live request may keep its lease without sending
	// audio while other requests wait for it; default 30 s.
	SilenceLimit time.Duration
	// MaxWait limits the wait of a request, whatever its deadline, while its model
	// is not being loaded; default 5 min.
	MaxWait time.Duration
	// CooldownBase is the first cooldown after a failed load, CooldownMax the
	// longest; each failure in a row doubles it. Defaults 2 s and 2 min.
	CooldownBase, CooldownMax time.Duration
	// CrashLimit crashes within CrashWindow are a crash loop, which causes a
	// cooldown like a failed load; defaults 3 and 1 min.
	CrashLimit  int
	CrashWindow time.Duration
	// Clock is the source of all time; default the real one.
	Clock clockwork.Clock
	// Logger gets one line per event; default slog.Default().
	Logger *slog.Logger
	// Observer is notified of events; default none.
	Observer Observer
}

func (o Options) withDefaults() Options {
	if o.CPUThreads <= 0 {
		// The Go runtime takes affinity and the cgroup's quota into account.
		o.CPUThreads = runtime.GOMAXPROCS(0)
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.SamplePeriod, 250*time.Millisecond)
	def(&o.StopGrace, 5*time.Second)
	def(&o.HandoverAfter, 2*time.Second)
	def(&o.CPUQuantum, 500*time.Millisecond)
	def(&o.AgingStep, 10*time.Second)
	def(&o.SilenceLimit, 30*time.Second)
	def(&o.MaxWait, 5*time.Minute)
	def(&o.CooldownBase, 2*time.Second)
	def(&o.CooldownMax, 2*time.Minute)
	def(&o.CrashWindow, time.Minute)
	if o.CrashLimit <= 0 {
		o.CrashLimit = 3
	}
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	return o
}

func (s ModelSpec) withDefaults() ModelSpec {
	if s.Priority == gatewayv1.Priority_PRIORITY_UNSPECIFIED {
		s.Priority = gatewayv1.Priority_PRIORITY_NORMAL
	}
	if s.MaxConcurrency <= 0 {
		s.MaxConcurrency = 1
	}
	if s.MaxQueue <= 0 {
		s.MaxQueue = 256
	}
	if s.ProgressTimeout <= 0 {
		s.ProgressTimeout = time.Minute
	}
	return s
}

// noObserver ignores all events.
type noObserver struct{}

func (noObserver) StateChanged(string, gatewayv1.ModelState, gatewayv1.ModelState) {}
func (noObserver) LoadEnded(string, time.Duration, error)                          {}
func (noObserver) Unloaded(string, gatewayv1.EvictionReason)                       {}
func (noObserver) MemoryChanged(string, int64, int64, int64)                       {}
