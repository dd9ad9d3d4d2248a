// Package enginetest is the conformance suite of engines. It starts an engine's
// program, as the server does, and checks that it keeps the contract of
// modelgateway.engine.v1, also when things go wrong. The tests of every engine call
// Run. An engine in another language needs a Go test that names its program.
package enginetest

import (
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// Config describes the engine and what to run on it.
type Config struct {
	// Command is the engine's program and its arguments.
	Command []string
	// Env are environment variables ("KEY=value") in addition to PATH, HOME and
	// LD_LIBRARY_PATH.
	Env []string
	// Load is a load that works. The suite runs twice its MaxConcurrency runs in
	// parallel; use 2 or more.
	Load *enginev1.LoadRequest
	// Samples has at least one run of each task of the model.
	Samples []Sample
	// Slow is a run that takes at least 5 s if it is not cancelled. The suite cancels
	// it, kills the process during it, and reads the reports of Watch during it.
	Slow Sample
	// BadFiles are paths that must fail to load. A path that does not exist is always
	// tried.
	BadFiles []BadFile
	// LoadTimeout bounds a load. Default: 1 min.
	LoadTimeout time.Duration
	// RunTimeout bounds a sample. Default: 1 min.
	RunTimeout time.Duration
	// Remote is true for an engine that reads no file and does not compute on this
	// machine. The suite then does not try missing files and missing devices.
	Remote bool
	// NoParentWatch skips the check that the worker ends if its parent dies before it
	// opens Watch. The server covers that case by a parent-death signal.
	NoParentWatch bool
}

// Sample is a run that works.
type Sample struct {
	// Name is for messages. The default is the name of the task.
	Name string
	// Messages are sent in order, and then the stream is closed.
	Messages []*enginev1.RunRequest
	// Check checks the answer further than the suite does. It may be nil.
	Check func(t *testing.T, answer []*enginev1.RunResponse)
}

// BadFile is a path that must fail to load.
type BadFile struct {
	// Name is for messages.
	Name string
	// Path is the file or folder.
	Path string
	// Reason is the reason that the load must fail with.
	Reason errs.Reason
}

const (
	// These limits only distinguish an engine that stops from one that finishes its
	// work first. They are far above what the contract says, for slow machines.

	// describeWithin bounds Describe.
	describeWithin = 10 * time.Second
	// cancelWithin bounds the end of a cancelled run, as Watch reports it. The
	// benchmarks measure the 100 ms of the contract.
	cancelWithin = 2 * time.Second
	// endWithin bounds the end of a process that has to end.
	endWithin = 10 * time.Second
	// reportWithin bounds the time between two reports. The contract says one second.
	reportWithin = 5 * time.Second
)

// Run runs the suite, each part as a subtest with its own worker.
func Run(t *testing.T, cfg Config) {
	if cfg.LoadTimeout <= 0 {
		cfg.LoadTimeout = time.Minute
	}
	if cfg.RunTimeout <= 0 {
		cfg.RunTimeout = time.Minute
	}
	s := &suite{cfg: cfg}
	t.Run("describe", s.describe)
	t.Run("load", s.load)
	if !cfg.Remote {
		t.Run("load/missing file", s.missingFile)
		t.Run("load/absent device", s.absentDevice)
	}
	t.Run("load/bad files", s.badFiles)
	t.Run("load/unknown parameter", s.unknownParameter)
	t.Run("load/cancelled", s.cancelledLoad)
	t.Run("order of calls", s.callOrder)
	t.Run("tasks", s.tasks)
	t.Run("tasks/unsupported", s.unsupportedTasks)
	t.Run("tasks/parallel", s.parallel)
	t.Run("hostile/empty requests", s.emptyRequests)
	t.Run("hostile/garbage", s.garbage)
	t.Run("hostile/huge", s.huge)
	t.Run("cancel", s.cancel)
	t.Run("deadline", s.deadline)
	t.Run("watch", s.watch)
	t.Run("end/watch closed", s.watchClosed)
	t.Run("end/SIGTERM", s.terminated)
	t.Run("end/parent killed", s.parentKilled)
}

type suite struct{ cfg Config }
