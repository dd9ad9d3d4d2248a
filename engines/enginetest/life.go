package enginetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// awaitActive reads reports until the wanted number of runs is active.
func awaitActive(t *testing.T, reports <-chan *enginev1.WatchResponse, want int32, within time.Duration) {
	t.Helper()
	deadline := time.After(within)
	for {
		select {
		case r, ok := <-reports:
			if !ok {
				t.Fatal("the Watch stream ended")
			}
			if r.GetActiveRunCount() == want {
				return
			}
		case <-deadline:
			t.Fatalf("the reports did not show %[2]d active runs within %[1]v", within, want)
		}
	}
}

// awaitGrowth reads reports until the work count has grown.
func awaitGrowth(t *testing.T, reports <-chan *enginev1.WatchResponse, within time.Duration) {
	t.Helper()
	deadline := time.After(within)
	var first *uint64
	for {
		select {
		case r, ok := <-reports:
			if !ok {
				t.Fatal("the Watch stream ended")
			}
			count := r.GetWorkCount()
			if first == nil {
				first = &count
			} else if count > *first {
				return
			}
		case <-deadline:
			t.Fatalf("no work was counted in %v", within)
		}
	}
}

// cancel checks that a run ends soon after it is cancelled, both at its beginning and
// later, and that the next run works.
func (s *suite) cancel(t *testing.T) {
	w := s.startLoaded(t)
	reports := w.watchReports(t.Context(), t)
	for _, when := range []string{"at its beginning", "during its work"} {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := w.send(ctx, s.cfg.Slow.Messages)
		if err != nil {
			t.Fatal(err)
		}
		awaitActive(t, reports, 1, s.cfg.RunTimeout)
		if when == "during its work" {
			awaitGrowth(t, reports, s.cfg.RunTimeout)
		}
		cancel()
		awaitActive(t, reports, 0, cancelWithin)
		for err == nil {
			_, err = stream.Recv()
		}
		if errs.ReasonOf(err) != errs.Cancelled {
			t.Errorf("a run that was cancelled %s ended with %v", when, err)
		}
	}
	w.stillWorks(t)
}

// deadline checks that a run past its deadline ends with DEADLINE_EXCEEDED.
func (s *suite) deadline(t *testing.T) {
	w := s.startLoaded(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := w.run(ctx, s.cfg.Slow.Messages); errs.ReasonOf(err) != errs.DeadlineExceeded {
		t.Errorf("a run past its deadline ended with %v", err)
	}
	w.stillWorks(t)
}

// watch checks that reports come every second during a run, and that the work count
// grows and never falls.
func (s *suite) watch(t *testing.T) {
	w := s.startLoaded(t)
	reports := w.watchReports(t.Context(), t)
	if _, err := w.send(t.Context(), s.cfg.Slow.Messages); err != nil {
		t.Fatal(err)
	}
	awaitActive(t, reports, 1, s.cfg.RunTimeout)
	awaitGrowth(t, reports, s.cfg.RunTimeout)
	var last uint64
	for range 3 {
		select {
		case r, ok := <-reports:
			if !ok {
				t.Fatal("the Watch stream ended")
			}
			if r.GetWorkCount() < last {
				t.Errorf("the work counter fell from %d to %d", last, r.GetWorkCount())
			}
			last = r.GetWorkCount()
		case <-time.After(reportWithin):
			t.Fatalf("no report came in %v of a run", reportWithin)
		}
	}
}

// watchClosed checks that the process ends with the Watch stream, also during a run.
func (s *suite) watchClosed(t *testing.T) {
	w := s.startLoaded(t)
	ctx, cancel := context.WithCancel(t.Context())
	reports := w.watchReports(ctx, t)
	if _, err := w.send(t.Context(), s.cfg.Slow.Messages); err != nil {
		t.Fatal(err)
	}
	awaitActive(t, reports, 1, s.cfg.RunTimeout)
	cancel()
	w.awaitEnd(t, endWithin)
}

// terminated checks that SIGTERM ends the runs with an error and then the process
// with exit code 0.
func (s *suite) terminated(t *testing.T) {
	w := s.startLoaded(t)
	reports := w.watchReports(t.Context(), t)
	stream, err := w.send(t.Context(), s.cfg.Slow.Messages)
	if err != nil {
		t.Fatal(err)
	}
	awaitActive(t, reports, 1, s.cfg.RunTimeout)
	if err := syscall.Kill(w.cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := w.awaitEnd(t, endWithin); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if code := errs.Code(errs.ReasonOf(err)); code != errs.Code(errs.Draining) {
		t.Errorf("the run ended with %v", err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", w.cmd.Process.Pid)); err == nil {
		t.Error("the process still exists")
	}
}

// parentKilled checks that a worker ends if its parent is killed before it opens
// Watch. A shell plays the server.
func (s *suite) parentKilled(t *testing.T) {
	if s.cfg.NoParentWatch {
		t.Skip("the engine relies on the parent-death signal of its host")
	}
	shell := append([]string{"/bin/sh", "-c", `"$@" & wait`, "sh"}, s.cfg.Command...)
	w := s.startCommand(t, shell)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", w.cmd.Process.Pid))
	if err != nil {
		t.Skipf("this kernel does not list child processes: %v", err)
	}
	engine, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatalf("the shell has the child processes %q", data)
	}
	if err := w.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(endWithin); alive(engine); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(engine, syscall.SIGKILL)
			t.Fatalf("the engine still runs %v after the end of its parent", endWithin)
		}
	}
}

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(state, "Z")
}
