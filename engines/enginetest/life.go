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

// awaitActive reads reports until as many runs are under way.
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
			t.Fatalf("not in %v: %d runs under way", within, want)
		}
	}
}

// awaitGrowth reads reports until work was counted.
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

// cancel: the run ends promptly, at its beginning as in the middle, and the
// next one works.
func (s *suite) cancel(t *testing.T) {
	w := s.startLoaded(t)
	reports := w.watchReports(t.Context(), t)
	for _, when := range []string{"at its beginning", "at work"} {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := w.send(ctx, s.cfg.Slow.Messages)
		if err != nil {
			t.Fatal(err)
		}
		awaitActive(t, reports, 1, s.cfg.RunTimeout)
		if when == "at work" {
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

// deadline: a run that takes too long ends with its reason.
func (s *suite) deadline(t *testing.T) {
	w := s.startLoaded(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := w.run(ctx, s.cfg.Slow.Messages); errs.ReasonOf(err) != errs.DeadlineExceeded {
		t.Errorf("a run past its deadline ended with %v", err)
	}
	w.stillWorks(t)
}

// watch: reports come each second while work is under way, and the work
// counter only grows, and does.
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
			t.Fatalf("no report in %v of work", reportWithin)
		}
	}
}

// watchClosed: the process ends with the Watch stream, at work or not.
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

// terminated: SIGTERM ends the process with code 0, its runs with an error,
// and gives its memory back.
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
		t.Error("the process is still there, with its memory")
	}
}

// parentKilled: a worker whose parent is killed ends by itself, also before
// Watch was opened. A shell stands for the gateway.
func (s *suite) parentKilled(t *testing.T) {
	if s.cfg.NoParentWatch {
		t.Skip("the engine leaves this to its host")
	}
	shell := append([]string{"/bin/sh", "-c", `"$@" & wait`, "sh"}, s.cfg.Command...)
	w := s.startCommand(t, shell)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", w.cmd.Process.Pid))
	if err != nil {
		t.Skipf("this kernel lists no children: %v", err)
	}
	engine, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatalf("the shell's children are %q", data)
	}
	if err := w.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(endWithin); alive(engine); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(engine, syscall.SIGKILL)
			t.Fatalf("the engine lives %v after its parent", endWithin)
		}
	}
}

// alive tells whether a process exists and is no zombie.
func alive(pid int) bool {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(state, "Z")
}
