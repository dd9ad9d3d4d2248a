// Package enginetest is the conformance suite of engine workers: it starts an
// engine's real program, as the gateway does, and checks that it keeps the
// contract of modelgateway.engine.v1 in good and in bad times. Every engine's
// tests call Run; an engine in another language is tested by a Go test that
// names its program.
package enginetest

import (
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// Config says what to test.
type Config struct {
	// Command is the engine's program and its arguments.
	Command []string
	// Env are variables ("KEY=value") beside PATH, HOME and LD_LIBRARY_PATH.
	Env []string
	// Load is a load that works. Its MaxConcurrency is how many runs are tried
	// in parallel; use 2 or more.
	Load *enginev1.LoadRequest
	// Samples has at least one run for each task of the engine.
	Samples []Sample
	// Slow is a run that goes on for at least 5 s if it is not cancelled. It
	// is cancelled, killed and watched.
	Slow Sample
	// BadFiles are paths that must fail to load, beside one that does not
	// exist, which is tried in any case.
	BadFiles []BadFile
	// LoadTimeout bounds a load. Default: 1 min.
	LoadTimeout time.Duration
	// RunTimeout bounds a sample. Default: 1 min.
	RunTimeout time.Duration
	// Remote is an engine that reads no file and computes elsewhere: a path that
	// does not exist and a device that is not here mean nothing to it.
	Remote bool
	// NoParentWatch leaves out the death of a parent that had opened no Watch
	// stream; the gateway's parent-death signal covers it too.
	NoParentWatch bool
}

// Sample is a run that works.
type Sample struct {
	// Name is for messages; the task's by default.
	Name string
	// Messages are sent, and the stream is closed after them.
	Messages []*enginev1.RunRequest
	// Check looks at the answer, beside what the suite checks for its task. It
	// may be nil.
	Check func(t *testing.T, answer []*enginev1.RunResponse)
}

// BadFile is a path that must fail to load.
type BadFile struct {
	// Name is for messages.
	Name string
	// Path is the file or folder.
	Path string
	// Reason is what the load must fail with.
	Reason errs.Reason
}

const (
	// The bounds tell an engine that waits for its work's end from one that obeys;
	// they are far above what is expected of it, for machines that are busy.

	// describeWithin bounds Describe.
	describeWithin = 10 * time.Second
	// cancelWithin bounds the end of a cancelled run, as Watch tells it. The
	// contract's 100 ms are measured by the benchmarks.
	cancelWithin = 2 * time.Second
	// endWithin bounds the end of a process that was told to end.
	endWithin = 10 * time.Second
	// reportWithin bounds the time between reports, of which there is one each
	// second.
	reportWithin = 5 * time.Second
)

// Run checks everything, each thing in a subtest with a worker of its own or
// one that was loaded for several.
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
