// Package lifecycle owns every model's state: it loads on demand, holds the
// memory budget, queues, admits, evicts, watches and unloads.
//
// One goroutine owns all state; the methods of Manager post requests to it.
// Which models go to make room is decided by a pure function.
package lifecycle

import (
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/worker"
)

// ModelSpec is what the manager knows of a configured model.
type ModelSpec struct {
	// Name in the configuration.
	Name string
	// Tasks are task types that it is routed for; for display only.
	Tasks []string
	// Note is shown to operators; see gatewayv1.Model.Note.
	Note string
	// Worker says how to start and load it.
	Worker worker.Spec
	// DeclaredBytes is its size by the configuration; 0 if not declared.
	DeclaredBytes int64
	// Estimate computes its size from its file; nil if that is not possible.
	// It is called once per load, off the owner goroutine, and its error (e.g.
	// MODEL_FILE_MISSING) fails the load.
	Estimate func() (int64, error)
	// Fingerprint returns the key of what earlier runs taught (peak bytes, load
	// time): file identity, engine and parameters. Called with Estimate.
	Fingerprint func() string
	// Priority orders its requests and protects it from eviction.
	Priority gatewayv1.Priority
	// IdleTimeout unloads it when unused for so long; 0 is never.
	IdleTimeout time.Duration
	// Pinned keeps it loaded once it is.
	Pinned bool
	// Threads is how many inference threads it works with.
	Threads int
	// MaxConcurrency is the most leases at once.
	MaxConcurrency int
	// MaxQueue is the most requests that wait.
	MaxQueue int
	// ProgressTimeout ends a worker that has leases or a load but makes no
	// progress for so long.
	ProgressTimeout time.Duration
}

// Request asks for a lease.
type Request struct {
	// Model is the model's name.
	Model string
	// Priority orders the queue; unspecified is the model's own.
	Priority gatewayv1.Priority
}
