package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

func TestLifeOfAWorker(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launch(t, h, spec(t, map[string]any{"load_ms": 300, "allocate_bytes": 50 << 20}))
	if got := w.Description().GetName(); got != "fault" {
		t.Errorf("the engine says it is %q", got)
	}
	var fractions []float64
	resp, err := w.Load(t.Context(), func(f float64) { fractions = append(fractions, f) })
	if err != nil {
		t.Fatal(err)
	}
	if !resp.GetReady() || len(fractions) < 3 || fractions[len(fractions)-1] != 1 {
		t.Errorf("load ended with %v after the fractions %v", resp, fractions)
	}
	size, err := w.MemoryBytes()
	if err != nil || size < 50<<20 || size > 150<<20 {
		t.Errorf("the worker measures %d bytes (%v), with 50 MiB allocated", size, err)
	}
	before := w.WorkCount()
	n, err := drain(chat(t.Context(), t, w, `fault: {"token_count": 20}`))
	if err != nil || n != 21 {
		t.Errorf("a chat of 20 tokens ended after %d messages with %v", n, err)
	}
	eventually(t, 2*time.Second, "the work counter tells of the tokens", func() bool { return w.WorkCount() >= before+20 })
	w.Stop(5 * time.Second)
	if took := awaitDone(t, w, 5*time.Second); took > 2*time.Second {
		t.Errorf("SIGTERM took %v", took)
	}
	if err := w.ExitError(); err != nil {
		t.Errorf("a stopped worker has the exit error %v", err)
	}
	if alive(w.PID()) {
		t.Error("the process lives after Done")
	}
	if _, err := w.MemoryBytes(); err == nil {
		t.Error("the memory of an ended process was measured")
	}
}

func TestKilledWorkerFailsItsStreamsWithinASecond(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launchLoaded(t, h, spec(t, nil))
	stream := chat(t.Context(), t, w, `fault: {"token_count": 1000000, "token_interval_us": 1000}`)
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := syscall.Kill(w.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_, err := drain(stream)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("the stream ended after %v", took)
	}
	awaitDone(t, w, time.Second)
	for _, err := range []error{err, w.ExitError()} {
		if errs.ReasonOf(err) != errs.EngineCrashed || !strings.Contains(err.Error(), "signal: killed") {
			t.Errorf("the kill is told as %v", err)
		}
	}
}

func TestCrashTellsTheLastWords(t *testing.T) {
	h := newHost(t, worker.Options{})
	for name, want := range map[string]struct{ message, words string }{
		"exit":  {"exit status 3", "exits"},
		"crash": {"exit status 2", "SIGABRT: abort"},
	} {
		w := launchLoaded(t, h, spec(t, nil))
		_, err := drain(chat(t.Context(), t, w, `fault: {"fault": "`+name+`", "fault_after_tokens": 3}`))
		if errs.ReasonOf(err) != errs.EngineCrashed || !strings.Contains(err.Error(), want.message) {
			t.Errorf("%s: the stream ended with %v", name, err)
		}
		words := worker.LastWords(err)
		if !strings.Contains(words, want.words) {
			t.Errorf("%s: the last words are %q", name, words)
		}
		if strings.Contains(status.Convert(err).Message(), want.words) {
			t.Errorf("%s: callers are told what the worker printed: %v", name, err)
		}
		awaitDone(t, w, time.Second)
	}
	w := launch(t, h, spec(t, map[string]any{"load_fault": "crash"}))
	if _, err := w.Load(t.Context(), func(float64) {}); errs.ReasonOf(err) != errs.EngineCrashed {
		t.Errorf("a load that crashes fails with %v", err)
	}
}

func TestPanicFailsOnlyItsCall(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launchLoaded(t, h, spec(t, nil))
	_, err := drain(chat(t.Context(), t, w, `fault: {"fault": "panic", "fault_after_tokens": 1}`))
	if errs.ReasonOf(err) != errs.Internal {
		t.Errorf("a panic is told as %v", err)
	}
	if _, err := drain(chat(t.Context(), t, w, "hello")); err != nil {
		t.Errorf("the call after the panic: %v", err)
	}
}

func TestGatewayKilled(t *testing.T) {
	gateway, report := startGateway(t)
	pids := append(report.Workers, report.Children...)
	if len(pids) != 3 {
		t.Fatalf("the gateway has the processes %v", report)
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("process %d of %v is not alive", pid, report)
		}
	}
	if err := gateway.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		eventually(t, 2*time.Second, "the processes of a killed gateway end", func() bool { return !alive(pid) })
	}
}

func TestStopOfAStoppedProcess(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launchLoaded(t, h, spec(t, nil))
	if err := syscall.Kill(w.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.Stop(100 * time.Millisecond)
	awaitDone(t, w, 2*time.Second)
}

func TestWorkerThatIgnoresSIGTERM(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launchLoaded(t, h, spec(t, map[string]any{"ignore_sigterm": true}))
	w.Stop(300 * time.Millisecond)
	if took := awaitDone(t, w, 3*time.Second); took < 250*time.Millisecond {
		t.Errorf("it ended after %v, before its grace", took)
	}
	if err := w.ExitError(); err != nil {
		t.Errorf("a stopped worker has the exit error %v", err)
	}
}

func TestChildThatHoldsThePipes(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launchLoaded(t, h, spec(t, nil))
	got, err := invoke(t, w, "spawn_child", nil)
	if err != nil {
		t.Fatal(err)
	}
	child := int(got["pid"].(float64))
	alone, err := w.MemoryBytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(w.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitDone(t, w, time.Second)
	eventually(t, time.Second, "the child ends with its worker", func() bool { return !alive(child) })
	if alone <= 0 {
		t.Errorf("the two processes measure %d bytes", alone)
	}
}

func TestMemoryCountsChildren(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launchLoaded(t, h, spec(t, nil))
	before, err := w.MemoryBytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := invoke(t, w, "spawn_child", nil); err != nil {
		t.Fatal(err)
	}
	// The child runs the same program; its private memory alone is over 1 MiB.
	eventually(t, 2*time.Second, "the child is measured too", func() bool {
		after, err := w.MemoryBytes()
		return err == nil && after > before+1<<20
	})
}

func TestWorkersSeeNoSecrets(t *testing.T) {
	t.Setenv("GEMINI_API_KEY", "secret-1")
	t.Setenv("MG_API_KEY", "secret-2")
	t.Setenv("MG_LLAMA_VERBOSE", "1")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-3")
	h := newHost(t, worker.Options{})
	s := spec(t, nil)
	s.Env = []string{"ADDED=yes"}
	got, err := invoke(t, launchLoaded(t, h, s), "process", nil)
	if err != nil {
		t.Fatal(err)
	}
	var environment []string
	for _, kv := range got["environment"].([]any) {
		environment = append(environment, kv.(string))
	}
	all := strings.Join(environment, "\n")
	if strings.Contains(all, "secret-") {
		t.Errorf("the worker's environment has a secret:\n%s", all)
	}
	for _, want := range []string{"PATH=", "ADDED=yes", "MG_LLAMA_VERBOSE=1"} {
		if !strings.Contains(all, want) {
			t.Errorf("the worker's environment lacks %s:\n%s", want, all)
		}
	}
	limits := got["limits"].(map[string]any)
	if limits["core"] != 0.0 || limits["nofile"].(float64) > 4096 {
		t.Errorf("the worker's limits are %v", limits)
	}
	if got["no_new_privileges"] != true {
		t.Error("the worker may gain privileges")
	}
}

func TestStartFailuresExplainThemselves(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	script := filepath.Join(dir, "script")
	if err := errors.Join(
		os.WriteFile(text, []byte("not a program"), 0o644),
		os.WriteFile(script, []byte("#!/bin/sh\necho 'prog: error while loading shared libraries: libllama.so.0: cannot open shared object file' >&2\nexit 127\n"), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	engine := os.Getenv(engineVariable)
	cases := map[string]struct {
		command []string
		want    string // in the message
		words   string // among the last words only
	}{
		"no program":     {[]string{filepath.Join(dir, "engine-none")}, "no program engine-none", ""},
		"no such name":   {[]string{"engine-that-is-not-installed"}, "no program engine-that-is-not-installed", ""},
		"not executable": {[]string{text}, "may not be executed", ""},
		"no library":     {[]string{script}, "library libllama.so.0", "cannot open shared object file"},
		"exits":          {[]string{engine, "--fault=exit"}, "ended before the handshake", "exits at once as requested"},
		"garbage":        {[]string{engine, "--fault=handshake-garbage"}, "in place of a handshake", "Hello, I am not an engine"},
		"version":        {[]string{engine, "--fault=handshake-version"}, "another version", "|unix|"},
		"silent":         {[]string{engine, "--fault=handshake-silent"}, "in time", ""},
		"dead":           {[]string{engine, "--fault=handshake-dead"}, "does not answer", "|unix|"},
		"no command":     {nil, "names no program", ""},
	}
	h := newHost(t, worker.Options{StartTimeout: time.Second})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := h.Launch(t.Context(), worker.Spec{Model: "m", Engine: "e", Command: c.command})
			if errs.ReasonOf(err) != errs.EngineUnavailable || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "modelgateway doctor") {
				t.Errorf("the failure is told as %v; want %q in it", err, c.want)
			}
			if words := worker.LastWords(err); !strings.Contains(words, c.words) {
				t.Errorf("the last words are %q, want %q among them", words, c.words)
			}
			if c.words != "" && strings.Contains(err.Error(), c.words) {
				t.Errorf("callers are told what the worker printed: %v", err)
			}
		})
	}
}

func TestCancelledLaunchLeavesNothing(t *testing.T) {
	runtime := shortTempDir(t)
	h := newHost(t, worker.Options{RuntimeDir: runtime})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := h.Launch(ctx, spec(t, nil, "--fault=handshake-silent"))
		result <- err
	}()
	sockets := filepath.Join(runtime, "mg-workers-*", "plugin-dir*")
	eventually(t, 5*time.Second, "the start is under way", func() bool { return len(glob(t, sockets)) == 1 })
	cancel()
	if err := <-result; errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("a cancelled launch fails with %v", err)
	}
	if left := glob(t, sockets); len(left) > 0 {
		t.Errorf("there is left %v", left)
	}
}

func TestCloseEndsWorkersAndLeavesNothing(t *testing.T) {
	runtime := shortTempDir(t)
	h, err := worker.NewHost(worker.Options{RuntimeDir: runtime})
	if err != nil {
		t.Fatal(err)
	}
	w := launchLoaded(t, h, spec(t, map[string]any{"ignore_sigterm": true}))
	if info, err := os.Stat(glob(t, filepath.Join(runtime, "mg-workers-*"))[0]); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the sockets is %v (%v)", info, err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(w.PID()) {
		t.Error("a worker outlives its host")
	}
	if left := glob(t, filepath.Join(runtime, "*")); len(left) > 0 {
		t.Errorf("there is left %v", left)
	}
	if _, err := h.Launch(t.Context(), spec(t, nil)); errs.ReasonOf(err) != errs.Draining {
		t.Errorf("a launch after Close fails with %v", err)
	}
}

// shortTempDir is for sockets, whose paths have at most 107 bytes.
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

func TestCancelOfALoad(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launch(t, h, spec(t, map[string]any{"load_ms": 60_000}))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := w.Load(ctx, func(float64) { cancel() })
	if errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("a cancelled load fails with %v", err)
	}
	w.Stop(5 * time.Second)
	if took := awaitDone(t, w, 5*time.Second); took > time.Second {
		t.Errorf("the worker ended %v after its load was cancelled", took)
	}
}

func TestRunBeforeLoad(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launch(t, h, spec(t, nil))
	_, err := invoke(t, w, "echo", nil)
	if errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("a run before the load fails with %v", err)
	}
	if _, err := w.Load(t.Context(), func(float64) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Load(t.Context(), func(float64) {}); errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("a second load fails with %v", err)
	}
}

// The parent-death signal comes when the thread ends that forked; a worker must
// not depend on the thread that asked for it.
func TestWorkerOutlivesTheThreadThatLaunchedIt(t *testing.T) {
	h := newHost(t, worker.Options{})
	s := spec(t, nil)
	launched := make(chan worker.Worker, 1)
	thread := make(chan int, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		thread <- syscall.Gettid()
		w, err := h.Launch(t.Context(), s)
		if err != nil {
			t.Error(err)
		}
		launched <- w
	}()
	w := <-launched
	if w == nil {
		t.FailNow()
	}
	task := filepath.Join("/proc/self/task", strconv.Itoa(<-thread))
	eventually(t, 2*time.Second, "the thread ends", func() bool { return len(glob(t, task)) == 0 })
	if _, err := w.Load(t.Context(), func(float64) {}); err != nil {
		t.Errorf("the worker after its launching thread: %v", err)
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

// BenchmarkMemoryBytes tells what one sample costs for each size of a worker.
func BenchmarkMemoryBytes(b *testing.B) {
	h := newHost(b, worker.Options{Logger: slog.New(slog.DiscardHandler)})
	for _, mib := range []int{0, 100, 1000} {
		b.Run(strconv.Itoa(mib)+"MiB", func(b *testing.B) {
			w := launchLoaded(b, h, spec(b, map[string]any{"allocate_bytes": mib << 20}))
			defer w.Stop(0)
			for b.Loop() {
				if _, err := w.MemoryBytes(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLaunch tells what a worker's start costs, handshake included.
func BenchmarkLaunch(b *testing.B) {
	h := newHost(b, worker.Options{Logger: slog.New(slog.DiscardHandler)})
	s := spec(b, nil)
	for b.Loop() {
		w := launch(b, h, s)
		w.Stop(0)
		<-w.Done()
	}
}
