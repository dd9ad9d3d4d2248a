package worker_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// echo is an engine that is built into the server.
type echo struct{ closed *atomic.Bool }

func (e echo) Describe() engines.Description {
	return engines.Description{Name: "echo", Version: "1", Devices: []string{"cpu"}, Tasks: []enginev1.Task{enginev1.Task_TASK_CHAT}}
}

func (e echo) Load(context.Context, engines.LoadOptions) (engines.Model, error) { return e, nil }
func (e echo) Description() string                                              { return "echo" }
func (e echo) Close() error                                                     { e.closed.Store(true); return nil }

func (e echo) Chat(ctx context.Context, req *gatewayv1.ChatRequest, emit func(*gatewayv1.StreamChatResponse) error) error {
	switch text := req.GetMessages()[0].GetContent(); text {
	case "panic":
		panic(text)
	case "wait":
		if err := emit(&gatewayv1.StreamChatResponse{Delta: "waiting"}); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	default:
		return emit(&gatewayv1.StreamChatResponse{Delta: text})
	}
}

// refusing is a launcher that starts nothing and records whether it was called.
type refusing struct{ called atomic.Bool }

func (r *refusing) Launch(context.Context, worker.Spec) (worker.Worker, error) {
	r.called.Store(true)
	return nil, errs.New(errs.EngineUnavailable, "no process is started here")
}

func inProcess(t *testing.T, closed *atomic.Bool, next worker.Launcher) *worker.InProcess {
	t.Helper()
	l := worker.NewInProcess(slog.New(slog.NewTextHandler(testWriter{t}, nil)), map[string]func() engines.Engine{
		"echo": func() engines.Engine { return echo{closed} },
	}, next)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func sayHere(t *testing.T, w worker.Worker, text string) enginev1.Engine_RunClient {
	t.Helper()
	stream, err := w.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{
		Messages: []*gatewayv1.ChatMessage{{Content: text}},
	}}})
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return stream
}

func TestInProcessWorker(t *testing.T) {
	var closed atomic.Bool
	l := inProcess(t, &closed, &refusing{})
	w, err := l.Launch(t.Context(), worker.Spec{Model: "m", Engine: "echo", Load: loadRequest(t, nil)})
	if err != nil {
		t.Fatal(err)
	}
	if w.PID() != os.Getpid() || w.Description().GetName() != "echo" {
		t.Errorf("pid %d, %v", w.PID(), w.Description())
	}
	var progress float64
	if _, err := w.Load(t.Context(), func(f float64) { progress = f }); err != nil || progress != 1 || w.WorkCount() == 0 {
		t.Fatalf("load: %v, progress %v, work %d", err, progress, w.WorkCount())
	}
	if resp, err := sayHere(t, w, "hello").Recv(); err != nil || resp.GetChat().GetDelta() != "hello" {
		t.Errorf("%v, %v", resp, err)
	}
	if _, err := sayHere(t, w, "panic").Recv(); errs.ReasonOf(err) != errs.Internal {
		t.Errorf("a panic ended with %v", err)
	}
	if bytes, err := w.MemoryBytes(); err != nil || bytes != 0 {
		t.Errorf("%d bytes are measured, %v: those of the server must not count", bytes, err)
	}
	waiting := sayHere(t, w, "wait")
	if _, err := waiting.Recv(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.Done():
		t.Error("Done is closed before Stop")
	default:
	}
	w.Stop(0)
	w.Stop(0)
	if _, err := waiting.Recv(); err == nil {
		t.Error("the call did not end with the worker")
	}
	<-w.Done()
	if !closed.Load() || w.ExitError() != nil {
		t.Errorf("closed %v, exit %v", closed.Load(), w.ExitError())
	}
}

func TestInProcessLauncherGivesOthersToTheNext(t *testing.T) {
	next := &refusing{}
	l := inProcess(t, new(atomic.Bool), next)
	if _, err := l.Launch(t.Context(), worker.Spec{Engine: "echo", Command: []string{"echo"}}); err == nil || !next.called.Load() {
		t.Error("a spec with a command was not given to the next launcher")
	}
	if _, err := l.Launch(t.Context(), worker.Spec{Engine: "other"}); errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("an unknown engine: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Launch(ended, worker.Spec{Engine: "echo"}); errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("with a cancelled context: %v", err)
	}
}

func TestInProcessLauncherCloses(t *testing.T) {
	var closed atomic.Bool
	l := inProcess(t, &closed, &refusing{})
	w, err := l.Launch(t.Context(), worker.Spec{Engine: "echo", Load: loadRequest(t, nil)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Load(t.Context(), func(float64) {}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil || !closed.Load() {
		t.Errorf("%v, closed %v", err, closed.Load())
	}
	<-w.Done()
	if _, err := l.Launch(t.Context(), worker.Spec{Engine: "echo"}); errs.ReasonOf(err) != errs.Draining {
		t.Errorf("after Close: %v", err)
	}
}
