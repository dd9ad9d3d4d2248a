// Package worker runs engines, each in a process: it starts them, calls them by
// modelgateway.engine.v1, measures their memory and ends them. When to do that is
// decided by package lifecycle.
package worker

import (
	"context"
	"time"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/internal/isolate"
)

// Spec says which engine to start and what it loads.
type Spec struct {
	// Model is the model's name, for logs and messages.
	Model string
	// Engine is the engine's name in the configuration.
	Engine string
	// Command is the engine's program and its arguments.
	Command []string
	// Env are variables ("KEY=value") added to the minimal environment.
	Env []string
	// Rights are what the engine may do beyond reading its program and its model.
	Rights isolate.Policy
	// Load says which model to load.
	Load *enginev1.LoadRequest
	// MemoryLimitBytes is the kernel's hard limit on the process, by cgroup
	// where one can be made, else by RLIMIT_DATA; 0 is none.
	MemoryLimitBytes int64
}

// Launcher starts workers.
type Launcher interface {
	// Launch starts the engine's process and waits for its handshake. No model is
	// loaded yet. It returns ENGINE_UNAVAILABLE if the program is missing or prints
	// no handshake. If ctx ends first, no process is left.
	Launch(ctx context.Context, spec Spec) (Worker, error)
}

// Worker is a running engine process.
type Worker interface {
	// PID is the process id.
	PID() int
	// Description is the engine's answer to Describe.
	Description() *enginev1.DescribeResponse
	// Load loads the model and reports the fraction that is done (0 to 1). It must
	// be called once. If ctx ends the load is abandoned, and only Stop may be
	// called after that.
	Load(ctx context.Context, progress func(fraction float64)) (*enginev1.LoadResponse, error)
	// Run opens the stream of a request. The errors of Run and of the stream say
	// why the request failed; see ErrEnded.
	Run(ctx context.Context) (enginev1.Engine_RunClient, error)
	// WorkCount is the number of units of work that the worker has reported, load
	// progress included. The worker makes progress while it grows.
	WorkCount() uint64
	// MemoryBytes returns the proportional set size of the process and its
	// children.
	MemoryBytes() (int64, error)
	// Suspend stops the process and its group from running until Continue. Calls
	// remain open meanwhile. An engine in the server's process is not affected.
	Suspend()
	// Continue ends Suspend.
	Continue()
	// Stop asks the process to end (SIGTERM) and ends it (SIGKILL to its
	// process group) after grace; 0 is at once. It does not wait.
	Stop(grace time.Duration)
	// Done is closed when the process has been reaped.
	Done() <-chan struct{}
	// ExitError returns, after Done, why the process ended: ENGINE_CRASHED with
	// the signal or exit code; see also LastOutput. It is nil if Stop was called.
	ExitError() error
}
