// Package worker hosts engine processes: it starts them, speaks
// modelgateway.engine.v1 with them, measures them and ends them. It decides
// nothing; package lifecycle does.
package worker

import (
	"context"
	"time"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// Spec says which engine to start and what it shall load.
type Spec struct {
	// Model is the model's name, for logs and messages.
	Model string
	// Engine is the engine's name in the configuration.
	Engine string
	// Command is the engine's program and its arguments.
	Command []string
	// Env are variables ("KEY=value") added to the minimal environment.
	Env []string
	// Load is what the worker is asked to load.
	Load *enginev1.LoadRequest
	// MemoryLimitBytes is the kernel's hard limit on the process, by cgroup
	// where one can be made, else by RLIMIT_DATA; 0 is none.
	MemoryLimitBytes int64
}

// Launcher starts workers.
type Launcher interface {
	// Launch starts the engine's process and shakes hands with it. No model is
	// loaded yet. A program that is missing or does not shake hands is
	// ENGINE_UNAVAILABLE. If ctx ends first, no process is left.
	Launch(ctx context.Context, spec Spec) (Worker, error)
}

// Worker is a running engine process.
type Worker interface {
	// PID is the process id.
	PID() int
	// Description is what the engine told about itself.
	Description() *enginev1.DescribeResponse
	// Load loads the model and reports how far it is (0 to 1). It is called
	// once. Cancelling ctx abandons the load; the worker is then good for
	// nothing but Stop.
	Load(ctx context.Context, progress func(fraction float64)) (*enginev1.LoadResponse, error)
	// Run opens a task's stream.
	Run(ctx context.Context) (enginev1.Engine_RunClient, error)
	// WorkCount is the number of units of work that the worker last reported,
	// load progress included. Growth means progress.
	WorkCount() uint64
	// MemoryBytes measures the process's proportional set size, its children
	// included.
	MemoryBytes() (int64, error)
	// Stop asks the process to end (SIGTERM) and ends it (SIGKILL to its
	// process group) after grace; 0 is at once. It does not wait.
	Stop(grace time.Duration)
	// Done is closed when the process has been reaped.
	Done() <-chan struct{}
	// ExitError tells, after Done, why the process ended: an ENGINE_CRASHED
	// with the signal or exit code and the last line that it logged. It is nil
	// if Stop was called before.
	ExitError() error
}
