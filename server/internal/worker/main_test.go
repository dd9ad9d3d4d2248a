package worker_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/structpb"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

const (
	// engineVariable is the path of engine-fault, also for a re-executed test binary.
	engineVariable = "WORKER_TEST_ENGINE"
	// serverVariable makes the test binary a server that hosts workers.
	serverVariable = "WORKER_TEST_SERVER"
	// plainArgument makes the test binary an engine without go-plugin.
	plainArgument = "--plain-engine"
	// silentArgument makes it one that ends its Watch stream.
	silentArgument = "--silent-engine"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		hostWorkersForever()
	}
	if len(os.Args) == 2 && (os.Args[1] == plainArgument || os.Args[1] == silentArgument) {
		servePlainEngine()
	}
	if os.Getenv(engineVariable) != "" { // built before, e.g. for tests as another user
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "worker-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	engine := filepath.Join(dir, "engine-fault")
	build := exec.Command("go", "build", "-o", engine, "github.com/lexilingo/modelgateway/cmd/engine-fault")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build engine-fault:", err)
		os.Exit(1)
	}
	if err := os.Setenv(engineVariable, engine); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// spec returns the spec of a fault engine with parameters and arguments.
func spec(t testing.TB, parameters map[string]any, args ...string) worker.Spec {
	t.Helper()
	return worker.Spec{
		Model:   "test-model",
		Engine:  "fault",
		Command: append([]string{os.Getenv(engineVariable)}, args...),
		Load:    loadRequest(t, parameters),
	}
}

func loadRequest(t testing.TB, parameters map[string]any) *enginev1.LoadRequest {
	t.Helper()
	s, err := structpb.NewStruct(parameters)
	if err != nil {
		t.Fatal(err)
	}
	return &enginev1.LoadRequest{ModelName: "test-model", MaxConcurrency: 8, ThreadCount: 1, Parameters: s}
}

func newHost(t testing.TB, opts worker.Options) *worker.Host {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	h, err := worker.NewHost(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func launch(t testing.TB, h *worker.Host, s worker.Spec) worker.Worker {
	t.Helper()
	w, err := h.Launch(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func launchLoaded(t testing.TB, h *worker.Host, s worker.Spec) worker.Worker {
	t.Helper()
	w := launch(t, h, s)
	if _, err := w.Load(t.Context(), func(float64) {}); err != nil {
		t.Fatal(err)
	}
	return w
}

// chat opens a Chat whose last message is content.
func chat(ctx context.Context, t testing.TB, w worker.Worker, content string) enginev1.Engine_RunClient {
	t.Helper()
	return run(ctx, t, w, &enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: content}},
	}}})
}

func run(ctx context.Context, t testing.TB, w worker.Worker, req *enginev1.RunRequest) enginev1.Engine_RunClient {
	t.Helper()
	stream, err := w.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stream.Send(req), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	return stream
}

// drain reads a stream to its end.
func drain(stream enginev1.Engine_RunClient) (n int, err error) {
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		n++
	}
}

func invoke(t testing.TB, w worker.Worker, method string, params map[string]any) (map[string]any, error) {
	t.Helper()
	s, err := structpb.NewStruct(params)
	if err != nil {
		t.Fatal(err)
	}
	stream := run(t.Context(), t, w, &enginev1.RunRequest{Payload: &enginev1.RunRequest_Invoke{
		Invoke: &enginev1.InvokeTask{Method: method, Params: s},
	}})
	resp, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	return resp.GetInvoke().AsMap(), nil
}

// awaitDone waits for the process's end and returns how long it took.
func awaitDone(t testing.TB, w worker.Worker, atMost time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	select {
	case <-w.Done():
		return time.Since(begin)
	case <-time.After(atMost):
		t.Fatalf("the worker did not end in %v", atMost)
		return 0
	}
}

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	s := state(pid)
	return s != "" && s != "Z"
}

// state is the letter of a process's state, e.g. "T" for one that is stopped; empty if
// there is none.
func state(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	letter, _, _ := strings.Cut(rest, " ")
	return letter
}

// eventually polls a condition for which there is no event.
func eventually(t testing.TB, atMost time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(atMost); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", atMost, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// serverReport is what hostWorkersForever prints.
type serverReport struct {
	Workers, Children []int
	Error             string
}

// hostWorkersForever is the server of TestWorkersEndWhenTheServerIsKilled: it starts
// two workers, one with a child and one that is suspended, and waits to be killed.
func hostWorkersForever() {
	report := serverReport{}
	err := func() error {
		h, err := worker.NewHost(worker.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		for _, method := range []string{"spawn_child", ""} {
			w, err := h.Launch(context.Background(), worker.Spec{
				Model: "m", Engine: "fault", Command: []string{os.Getenv(engineVariable)},
				Load: &enginev1.LoadRequest{ModelName: "m", Parameters: &structpb.Struct{Fields: map[string]*structpb.Value{
					"ignore_sigterm": structpb.NewBoolValue(true),
				}}},
			})
			if err != nil {
				return err
			}
			if _, err := w.Load(context.Background(), func(float64) {}); err != nil {
				return err
			}
			report.Workers = append(report.Workers, w.PID())
			if method == "" {
				// Only SIGKILL ends a suspended process.
				if err := syscall.Kill(w.PID(), syscall.SIGSTOP); err != nil {
					return err
				}
				continue
			}
			stream, err := w.Run(context.Background())
			if err != nil {
				return err
			}
			if err := stream.Send(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Invoke{Invoke: &enginev1.InvokeTask{Method: method}}}); err != nil {
				return err
			}
			resp, err := stream.Recv()
			if err != nil {
				return err
			}
			report.Children = append(report.Children, int(resp.GetInvoke().GetFields()["pid"].GetNumberValue()))
		}
		return nil
	}()
	if err != nil {
		report.Error = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		os.Exit(1)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// startServer re-executes the test binary as a server with workers.
func startServer(t *testing.T) (*exec.Cmd, serverReport) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var report serverReport
	if err := json.Unmarshal(line, &report); err != nil || report.Error != "" {
		t.Fatal(err, report.Error)
	}
	return cmd, report
}
