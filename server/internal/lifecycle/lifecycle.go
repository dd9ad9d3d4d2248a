// Package lifecycle owns every model's state: it loads on demand, holds the
// memory budget, queues, admits, evicts, watches and unloads.
//
// One goroutine, the owner, owns all state; the methods of Manager post
// requests to it and wait for the answer. The owner never blocks: whatever
// touches a disk, a process or a socket runs elsewhere and posts its result.
// Which models go to make room is decided by a pure function (policy.go).
//
// A model's way: UNLOADED, LOADING once its bytes are reserved, READY, DRAINING
// while its last leases end and until its process is reaped, UNLOADED again.
// FAILED is UNLOADED with a cool-down.
package lifecycle

import (
	"log/slog"
	"runtime"
	"time"

	"github.com/jonboulle/clockwork"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// ModelSpec is what the manager knows of a configured model.
type ModelSpec struct {
	// Name in the configuration.
	Name string
	// Tasks are task types that it is routed for; for display only.
	Tasks []string
	// Note is shown to operators; see gatewayv1.Model.Note.
	Note string
	// Worker says how to start and load it. MemoryLimitBytes is set by the
	// manager where it is 0.
	Worker worker.Spec
	// DeclaredBytes is its size by the configuration; 0 if not declared.
	DeclaredBytes int64
	// Estimate computes its size from its file; nil if that is not possible.
	// It is called before each load, at the start and for plans, in any
	// goroutine; its error (e.g. MODEL_FILE_MISSING) fails the load.
	Estimate func() (int64, error)
	// Fingerprint returns the key of what earlier runs taught (peak bytes, load
	// time): file identity, engine and parameters. Called with Estimate. A
	// failed model whose fingerprint has changed is tried again at once.
	Fingerprint func() string
	// Priority orders its requests and protects it from eviction; unspecified
	// is NORMAL.
	Priority gatewayv1.Priority
	// IdleTimeout unloads it when unused for so long; 0 is never.
	IdleTimeout time.Duration
	// Pinned keeps it loaded once it is: if its process is lost, it is loaded
	// again in the background.
	Pinned bool
	// Threads is how many inference threads it works with; 0 for a model that
	// computes elsewhere.
	Threads int
	// MaxConcurrency is the most leases at once; 0 is 1.
	MaxConcurrency int
	// MaxQueue is the most requests that wait; 0 is 256.
	MaxQueue int
	// ProgressTimeout ends a worker that has leases or a load but makes no
	// progress for so long; 0 is one minute.
	ProgressTimeout time.Duration
}

// Request asks for a lease.
type Request struct {
	// Model is the model's name.
	Model string
	// Priority orders the queue and says which idle models may be evicted;
	// unspecified is the model's own.
	Priority gatewayv1.Priority
	// Live is true for audio that arrives while it is used: how long that takes
	// tells nothing about the model, and silence in it is bounded by
	// Options.SilenceLimit.
	Live bool
}

// LoadRequest asks for a load ahead of the first request.
type LoadRequest struct {
	// Model is the model's name.
	Model string
	// Pin keeps the model loaded until Unload.
	Pin bool
	// Priority says which idle models may be evicted for it; unspecified is the
	// model's own.
	Priority gatewayv1.Priority
}

// LoadProgress tells how far a load is.
type LoadProgress struct {
	// State is where the model is.
	State gatewayv1.ModelState
	// Fraction of the load that is done, 0 to 1.
	Fraction float32
	// Remaining is the time left, learned from earlier loads; 0 if unknown.
	Remaining time.Duration
}

// Totals are the numbers of the whole manager.
type Totals struct {
	// UsedBytes are charged to models now, BudgetBytes the most allowed.
	UsedBytes, BudgetBytes int64
	// ThreadsUsed are inference threads at work now, Threads the most allowed.
	ThreadsUsed, Threads int
	// Requests and Errors have ended since the start, waiting ones that were
	// refused included.
	Requests, Errors int64
	// ShuttingDown is true once Shutdown was called.
	ShuttingDown bool
}

// Observer is told what happens, e.g. to count it. It is called on the owner
// goroutine and must not block.
type Observer interface {
	// StateChanged is called after a model's state changed.
	StateChanged(model string, from, to gatewayv1.ModelState)
	// LoadEnded is called when a load ended; err is nil if the model is ready
	// and CANCELLED if nobody waited for it any more.
	LoadEnded(model string, took time.Duration, err error)
	// Evicted is called when a model's process is gone.
	Evicted(model string, reason gatewayv1.EvictionReason)
	// MemoryChanged is called when a model's bytes were reserved, measured or
	// given back.
	MemoryChanged(model string, reserved, measured, peak int64)
}

// Options are the manager's settings; the zero value of each takes its default.
type Options struct {
	// BudgetBytes is the most memory that all models may hold. Required.
	BudgetBytes int64
	// CPUThreads is the most inference threads at work; default: the cores
	// that affinity and the cgroup's quota leave to this process.
	CPUThreads int
	// StateDir keeps what runs taught; empty: in memory only.
	StateDir string
	// SamplePeriod is how often a worker's memory and progress are read;
	// default 250 ms.
	SamplePeriod time.Duration
	// StopGrace is how long a worker may take to end by itself; default 5 s.
	StopGrace time.Duration
	// HandoverAfter is how long a request waits for memory that a model at
	// work holds until that model is drained for it; default 2 s.
	HandoverAfter time.Duration
	// CPUQuantum is how long a request waits for cores that a busy model holds
	// until that model gets no new requests ahead of it; default 500 ms.
	CPUQuantum time.Duration
	// AgingStep is the wait that raises a request's place in the queue by one
	// priority; default 10 s. It opens no right to evict.
	AgingStep time.Duration
	// SilenceLimit is how long a live request may keep its place without audio
	// while others wait for one; default 30 s.
	SilenceLimit time.Duration
	// MaxWait bounds the wait of a request, its deadline aside, while nothing
	// is being loaded for it; default 5 min.
	MaxWait time.Duration
	// CooldownBase is the first cool-down after a failed load, CooldownMax the
	// longest; each failure in a row doubles it. Defaults 2 s and 2 min.
	CooldownBase, CooldownMax time.Duration
	// CrashLimit crashes within CrashWindow are a crash loop, which cools down
	// as a failed load does; defaults 3 and 1 min.
	CrashLimit  int
	CrashWindow time.Duration
	// Clock is the source of all time; default the real one.
	Clock clockwork.Clock
	// Logger gets one line per event; default slog.Default().
	Logger *slog.Logger
	// Observer is told what happens; default nobody.
	Observer Observer
}

func (o Options) withDefaults() Options {
	if o.CPUThreads <= 0 {
		// The runtime heeds both affinity and the cgroup's quota.
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
		o.Observer = nobody{}
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

// nobody observes nothing.
type nobody struct{}

func (nobody) StateChanged(string, gatewayv1.ModelState, gatewayv1.ModelState) {}
func (nobody) LoadEnded(string, time.Duration, error)                          {}
func (nobody) Evicted(string, gatewayv1.EvictionReason)                        {}
func (nobody) MemoryChanged(string, int64, int64, int64)                       {}
