package lifecycle_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// witness is a launcher that records what the manager does to real workers.
type witness struct {
	t        *testing.T
	launcher worker.Launcher
	launches atomic.Int64
	stops    atomic.Int64
	// lost are leases that the manager took away.
	lost atomic.Int64

	mu   sync.Mutex
	live map[*witnessed]struct{}
	pids []int
}

// witnessed is a real worker whose Stop is checked.
type witnessed struct {
	worker.Worker
	witness *witness
	model   string
	// leases are those that the clients hold.
	leases atomic.Int64
	// stopped: the manager stopped it.
	stopped atomic.Bool
	// history is the worker's measured memory, by the monitor.
	history []measurement
}

type measurement struct {
	at    time.Time
	bytes int64
}

func newWitness(t *testing.T, l worker.Launcher) *witness {
	return &witness{t: t, launcher: l, live: map[*witnessed]struct{}{}}
}

// Launch implements worker.Launcher.
func (v *witness) Launch(ctx context.Context, s worker.Spec) (worker.Worker, error) {
	w, err := v.launcher.Launch(ctx, s)
	if err != nil {
		return nil, err
	}
	v.launches.Add(1)
	wd := &witnessed{Worker: w, witness: v, model: s.Model}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.live[wd] = struct{}{}
	v.pids = append(v.pids, w.PID())
	return wd, nil
}

// Stop implements worker.Worker. A worker that gets time to exit is evicted: it
// must not have leases. One that is ended at once may have leases, but only if it
// exceeded its limits itself; see lost.
func (w *witnessed) Stop(grace time.Duration) {
	w.witness.stops.Add(1)
	if n := w.leases.Load(); grace > 0 && n > 0 {
		w.witness.t.Errorf("%s was evicted with %d leases", w.model, n)
	}
	w.stopped.Store(true)
	w.Worker.Stop(grace)
}

// lost checks a lease whose request failed with err while its caller waited. If
// the manager has stopped the worker, the reason must be this worker: it exceeded
// the budget, or it hung.
func (w *witnessed) lost(lease *lifecycle.Lease, err error) {
	if !w.stopped.Load() {
		return
	}
	cause := errs.From(lease.Cause())
	grew := fmt.Sprintf("model %q was ended: it grew to", w.model)
	hung := fmt.Sprintf("the worker of model %q made no progress", w.model)
	switch {
	case cause != nil && cause.Reason() == errs.MemoryBusy && strings.HasPrefix(cause.Message(), grew):
	case cause != nil && cause.Reason() == errs.EngineCrashed && strings.HasPrefix(cause.Message(), hung):
	default:
		w.witness.t.Errorf("%s was evicted with a lease: cause %v, the request ended with %v", w.model, cause, err)
	}
	w.witness.lost.Add(1)
}

func (w *witnessed) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	return w.Worker.Run(ctx)
}

// monitor measures all workers independently. Their sum must not exceed the
// budget plus one step of growth: what each worker grew since the manager could
// have measured it and ended one.
func (v *witness) monitor(ctx context.Context, budget int64, step time.Duration) (highest int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return highest
		case <-tick.C:
		}
		sum, growth, detail := v.measure(step)
		highest = max(highest, sum)
		if sum > budget+growth {
			v.t.Errorf("workers hold %d MiB, the budget is %d MiB and they grew by %d MiB within a step: %s",
				sum>>20, budget>>20, growth>>20, detail)
		}
	}
}

func (v *witness) measure(step time.Duration) (sum, growth int64, detail string) {
	v.mu.Lock()
	workers := make([]*witnessed, 0, len(v.live))
	for w := range v.live {
		select {
		case <-w.Done():
			delete(v.live, w)
		default:
			workers = append(workers, w)
		}
	}
	v.mu.Unlock()
	var parts []string
	for _, w := range workers {
		bytes, err := proportional(w.PID())
		if err != nil {
			continue // it has ended
		}
		now := time.Now()
		for len(w.history) > 1 && now.Sub(w.history[1].at) > step {
			w.history = w.history[1:]
		}
		var before int64
		if len(w.history) > 0 {
			before = w.history[0].bytes
		}
		w.history = append(w.history, measurement{now, bytes})
		sum += bytes
		growth += max(0, bytes-before)
		parts = append(parts, fmt.Sprintf("%s %d MiB (+%d)", w.model, bytes>>20, (bytes-before)>>20))
	}
	return sum, growth, strings.Join(parts, ", ")
}

// proportional asks the kernel for the proportional set size of a process and
// its descendants, in bytes. It shares no code with the manager's measurement.
func proportional(pid int) (int64, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	rollup, err := proc.ProcSMapsRollup()
	if err != nil {
		return 0, err
	}
	sum := int64(rollup.Pss)
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(children)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return 0, err
			}
			if bytes, err := proportional(child); err == nil { // otherwise it has ended
				sum += bytes
			}
		}
	}
	return sum, nil
}

// survivors are the processes that still exist.
func (v *witness) survivors() []int {
	v.mu.Lock()
	defer v.mu.Unlock()
	var alive []int
	for _, pid := range v.pids {
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err == nil && strings.HasPrefix(string(command), "engine-fault") {
			alive = append(alive, pid)
		}
	}
	return alive
}
