package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/internal/isolate"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	script := filepath.Join(dir, "script")
	orphan := filepath.Join(dir, "orphan")
	if err := errors.Join(
		os.WriteFile(text, []byte("not a program"), 0o644),
		os.WriteFile(orphan, []byte("#!/nonexistent/interpreter\n"), 0o755),
		os.WriteFile(script, []byte("#!/bin/sh\necho 'prog: error while loading shared libraries: libllama.so.0: cannot open shared object file' >&2\nexit 127\n"), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	engine := os.Getenv(engineVariable)
	cases := map[string]struct {
		command []string
		want    string // in the message
		output  string // in the last output, not in the message
	}{
		"no program":     {[]string{filepath.Join(dir, "engine-none")}, "there is no program engine-none", ""},
		"no interpreter": {[]string{orphan}, "orphan needs a dynamic linker or an interpreter", ""},
		"no such name":   {[]string{"engine-that-is-not-installed"}, "there is no program engine-that-is-not-installed", ""},
		"not executable": {[]string{text}, "text is not executable", ""},
		"no library":     {[]string{script}, "library libllama.so.0", "cannot open shared object file"},
		"exits":          {[]string{engine, "--fault=exit"}, "ended before the handshake", "exits at once as requested"},
		"garbage":        {[]string{engine, "--fault=handshake-garbage"}, "is not a handshake", "Hello, I am not an engine"},
		"version":        {[]string{engine, "--fault=handshake-version"}, "another version of the engine protocol", "|unix|"},
		"silent":         {[]string{engine, "--fault=handshake-silent"}, "printed no handshake in time", ""},
		"dead":           {[]string{engine, "--fault=handshake-dead"}, "does not answer", "|unix|"},
		"no command":     {nil, "has no command", ""},
	}
	h := newHost(t, worker.Options{StartTimeout: time.Second})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := h.Launch(t.Context(), worker.Spec{Model: "m", Engine: "e", Command: c.command})
			if errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "modelgateway doctor") {
				t.Errorf("the error is %v; want %q in it", err, c.want)
			}
			if output := worker.LastOutput(err); !strings.Contains(output, c.output) {
				t.Errorf("the last output is %q, want %q in it", output, c.output)
			}
			if c.output != "" && strings.Contains(err.Error(), c.output) {
				t.Errorf("the message has what the worker printed: %v", err)
			}
		})
	}
}

func TestCancelledLaunchLeavesNoFiles(t *testing.T) {
	runtime := shortTempDir(t)
	h := newHost(t, worker.Options{RuntimeDir: runtime})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := h.Launch(ctx, spec(t, nil, "--fault=handshake-silent"))
		result <- err
	}()
	sockets := filepath.Join(runtime, "mg-sockets-*", "plugin-dir*")
	eventually(t, 5*time.Second, "the start has begun", func() bool { return len(glob(t, sockets)) == 1 })
	cancel()
	if err := <-result; errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("a cancelled launch fails with %v", err)
	}
	if left := glob(t, sockets); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// The temporary directory is cleaned by age on many systems. The worker that runs
// must not notice, and the next one must start.
func TestLaunchAfterTheSocketFolderWasRemoved(t *testing.T) {
	parent := shortTempDir(t)
	h := newHost(t, worker.Options{RuntimeDir: parent})
	first := launchLoaded(t, h, spec(t, nil))
	for range 2 {
		for _, dir := range glob(t, filepath.Join(parent, "*")) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Ready(); err != nil {
			t.Errorf("the host is not ready: %v", err)
		}
		launchLoaded(t, h, spec(t, nil))
	}
	if _, err := drain(chat(t.Context(), t, first, "hello")); err != nil {
		t.Errorf("the worker from before: %v", err)
	}
}

// A missing folder must not be told as a missing program.
func TestLaunchWithoutASocketFolder(t *testing.T) {
	parent := filepath.Join(shortTempDir(t), "sub")
	h := newHost(t, worker.Options{RuntimeDir: parent})
	if err := errors.Join(os.RemoveAll(parent), os.WriteFile(parent, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	_, err := h.Launch(t.Context(), spec(t, nil))
	for _, err := range []error{err, h.Ready()} {
		if errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), "folder for the workers' sockets") {
			t.Errorf("the error is %v", err)
		}
		if strings.Contains(errs.From(err).Message(), parent) {
			t.Errorf("the message has the path: %v", err)
		}
	}
	if err := os.Remove(parent); err != nil {
		t.Fatal(err)
	}
	launch(t, h, spec(t, nil))
}

// A server that has no more files can start the worker later. Wherever the start
// fails, the caller is told to try again.
func TestLaunchWithoutFileDescriptors(t *testing.T) {
	h := newHost(t, worker.Options{})
	s := spec(t, nil)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	set := func(files uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: files, Max: before.Max}); err != nil {
			t.Fatal(err)
		}
	}
	defer set(before.Cur)
	refused := 0
	for used := uint64(len(glob(t, "/proc/self/fd/*"))); ; used++ {
		set(used)
		w, err := h.Launch(t.Context(), s)
		set(before.Cur)
		if err == nil {
			w.Stop(0)
			<-w.Done()
			break
		}
		if e := errs.From(err); e.Reason() != errs.MemoryBusy || e.RetryAfter() <= 0 || !strings.Contains(e.Message(), "files") {
			t.Errorf("with %d files: %v", used, err)
		}
		if refused++; refused > 100 {
			t.Fatal("no worker starts")
		}
	}
	if refused < 3 {
		t.Errorf("only %d launches were refused", refused)
	}
}

func TestCloseEndsWorkersAndRemovesFiles(t *testing.T) {
	runtime := shortTempDir(t)
	h, err := worker.NewHost(worker.Options{RuntimeDir: runtime})
	if err != nil {
		t.Fatal(err)
	}
	w := launchLoaded(t, h, spec(t, map[string]any{"ignore_sigterm": true}))
	if info, err := os.Stat(glob(t, filepath.Join(runtime, "mg-sockets-*"))[0]); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the sockets is %v (%v)", info, err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(w.PID()) {
		t.Error("a worker outlives its host")
	}
	if left := glob(t, filepath.Join(runtime, "*")); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	if _, err := h.Launch(t.Context(), spec(t, nil)); errs.ReasonOf(err) != errs.Draining {
		t.Errorf("a launch after Close fails with %v", err)
	}
}

// shortTempDir returns a folder for sockets, whose paths have at most 107 bytes.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "w")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The kernel sends the parent-death signal when the thread that forked ends. A
// worker must not depend on the thread that called Launch.
func TestWorkerSurvivesTheThreadThatLaunchedIt(t *testing.T) {
	h := newHost(t, worker.Options{})
	s := spec(t, nil)
	launched := make(chan worker.Worker, 1)
	thread := make(chan int, 1)
	isolate.Thread(func() {
		thread <- syscall.Gettid()
		w, err := h.Launch(t.Context(), s)
		if err != nil {
			t.Error(err)
		}
		launched <- w
	})
	w := <-launched
	if w == nil {
		t.FailNow()
	}
	task := filepath.Join("/proc/self/task", strconv.Itoa(<-thread))
	eventually(t, 2*time.Second, "the thread ends", func() bool { return len(glob(t, task)) == 0 })
	if _, err := w.Load(t.Context(), func(float64) {}); err != nil {
		t.Errorf("after the end of the thread: %v", err)
	}
}

func TestManyLaunchesAtOnce(t *testing.T) {
	h := newHost(t, worker.Options{})
	s := spec(t, nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			w, err := h.Launch(t.Context(), s)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := w.Load(t.Context(), func(float64) {}); err != nil {
				t.Error(err)
			}
			w.Stop(5 * time.Second)
			<-w.Done()
		})
	}
	all.Wait()
}

// BenchmarkLaunch measures the time of a worker's start, handshake included.
func BenchmarkLaunch(b *testing.B) {
	h := newHost(b, worker.Options{Logger: slog.New(slog.DiscardHandler)})
	s := spec(b, nil)
	for b.Loop() {
		w := launch(b, h, s)
		w.Stop(0)
		<-w.Done()
	}
}
