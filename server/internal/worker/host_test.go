package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

func TestWorkerFromLaunchToStop(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launch(t, h, spec(t, map[string]any{"load_ms": 300, "allocate_bytes": 50 << 20}))
	if got := w.Description().GetName(); got != "fault" {
		t.Errorf("the name of the engine is %q", got)
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
	eventually(t, 2*time.Second, "the work count includes the tokens", func() bool { return w.WorkCount() >= before+20 })
	w.Stop(5 * time.Second)
	if took := awaitDone(t, w, 5*time.Second); took > 2*time.Second {
		t.Errorf("SIGTERM took %v", took)
	}
	if err := w.ExitError(); err != nil {
		t.Errorf("a stopped worker has the exit error %v", err)
	}
	if alive(w.PID()) {
		t.Error("the process runs after Done")
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
			t.Errorf("after SIGKILL: %v", err)
		}
	}
}

// A worker that another program ends by SIGTERM closes its model and answers that it
// drains. For the callers that is a crash: the server did not ask for it.
func TestWorkerThatGetsSIGTERMCrashes(t *testing.T) {
	h := newHost(t, worker.Options{})
	for name, c := range map[string]struct {
		parameters map[string]any
		call       func(w worker.Worker) error
	}{
		"a stream": {nil, func(w worker.Worker) error {
			stream := chat(t.Context(), t, w, `fault: {"token_count": 1000000, "token_interval_us": 1000}`)
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			terminate(t, w)
			_, err := drain(stream)
			return err
		}},
		// The process does not end within the time that a call waits for that.
		"a slow close": {map[string]any{"close_ms": 8000}, func(w worker.Worker) error {
			stream := chat(t.Context(), t, w, `fault: {"token_count": 1000000, "token_interval_us": 1000}`)
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			terminate(t, w)
			_, err := drain(stream)
			w.Stop(0)
			return err
		}},
		"the next call": {map[string]any{"close_ms": 8000}, func(w worker.Worker) error {
			stream := chat(t.Context(), t, w, `fault: {"token_count": 1000000, "token_interval_us": 1000}`)
			terminate(t, w)
			_, _ = drain(stream) // the worker knows
			_, err := drain(chat(t.Context(), t, w, "hello"))
			w.Stop(0)
			return err
		}},
	} {
		w := launchLoaded(t, h, spec(t, c.parameters))
		err := c.call(w)
		if errs.ReasonOf(err) != errs.EngineCrashed || !errors.Is(err, worker.ErrEnded) {
			t.Errorf("%s: %v", name, err)
		}
		<-w.Done()
	}
	w := launch(t, h, spec(t, map[string]any{"load_ms": 60_000}))
	_, err := w.Load(t.Context(), func(float64) { terminate(t, w) })
	if errs.ReasonOf(err) != errs.EngineCrashed {
		t.Errorf("a load: %v", err)
	}
	<-w.Done()
	if err := w.ExitError(); errs.ReasonOf(err) != errs.EngineCrashed || !strings.Contains(err.Error(), "ended by itself (exit status 0)") {
		t.Errorf("the exit error is %v", err)
	}
}

func terminate(t *testing.T, w worker.Worker) {
	t.Helper()
	if err := syscall.Kill(w.PID(), syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

func TestCrashReportsTheLastOutput(t *testing.T) {
	h := newHost(t, worker.Options{})
	for name, want := range map[string]struct{ message, output string }{
		"exit":  {"exit status 3", "exits"},
		"crash": {"exit status 2", "SIGABRT: abort"},
	} {
		w := launchLoaded(t, h, spec(t, nil))
		_, err := drain(chat(t.Context(), t, w, `fault: {"fault": "`+name+`", "fault_after_tokens": 3}`))
		if errs.ReasonOf(err) != errs.EngineCrashed || !strings.Contains(err.Error(), want.message) {
			t.Errorf("%s: the stream ended with %v", name, err)
		}
		output := worker.LastOutput(err)
		if !strings.Contains(output, want.output) {
			t.Errorf("%s: the last output is %q", name, output)
		}
		if strings.Contains(status.Convert(err).Message(), want.output) {
			t.Errorf("%s: the message to callers has what the worker printed: %v", name, err)
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
		t.Errorf("a panic ended with %v", err)
	}
	if _, err := drain(chat(t.Context(), t, w, "hello")); err != nil {
		t.Errorf("the call after the panic: %v", err)
	}
}

func TestWorkersEndWhenTheServerIsKilled(t *testing.T) {
	server, report := startServer(t)
	pids := append(report.Workers, report.Children...)
	if len(pids) != 3 {
		t.Fatalf("the server has the processes %v", report)
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("process %d of %v is not alive", pid, report)
		}
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		eventually(t, 2*time.Second, "the processes of a killed server end", func() bool { return !alive(pid) })
	}
}

// A suspended worker's processes do not run, and its calls go on when it continues.
func TestSuspend(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launchLoaded(t, h, spec(t, nil))
	got, err := invoke(t, w, "spawn_child", nil)
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{w.PID(), int(got["pid"].(float64))}
	stream := chat(t.Context(), t, w, `fault: {"token_count": 100, "token_interval_us": 1000}`)
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	w.Suspend()
	for _, pid := range pids {
		eventually(t, 10*time.Second, "the process is stopped", func() bool { return state(pid) == "T" })
	}
	w.Continue()
	if _, err := drain(stream); err != nil {
		t.Errorf("the call ended with %v", err)
	}
	w.Suspend()
	w.Stop(time.Hour) // it ends by itself
	awaitDone(t, w, 30*time.Second)
	w.Suspend() // no other process that has its number
	w.Continue()
}

func TestStopOfASuspendedProcess(t *testing.T) {
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
		t.Errorf("it ended after %v, before its grace ended", took)
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

func TestWorkersGetNoSecrets(t *testing.T) {
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
	for _, want := range []string{"PATH=", "ADDED=yes", "MG_LLAMA_VERBOSE=1", "GGML_NO_BACKTRACE=1", "OMP_WAIT_POLICY=passive"} {
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

// BenchmarkMemoryBytes measures the time of a sample by the size of the worker.
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
