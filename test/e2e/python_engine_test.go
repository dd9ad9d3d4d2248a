package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/enginetest"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// python returns the Python interpreter for the tests.
func python(t *testing.T) string {
	t.Helper()
	path := os.Getenv("MG_PYTHON")
	if path == "" {
		t.Fatal("MG_PYTHON is not set: run the tests with `make test`")
	}
	return path
}

// inProject returns the absolute path of a file in the project.
func inProject(t *testing.T, elem ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{root}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func ngramProgram(t *testing.T) string {
	return inProject(t, "examples", "python-engine", "ngram_engine.py")
}

func ngramModel(t *testing.T) string {
	return inProject(t, "examples", "python-engine", "languages.json")
}

func clientSources(t *testing.T) string { return inProject(t, "clients", "python", "src") }

func fields(t *testing.T, m map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The example engine passes the same conformance suite as the Go engines.
func TestPythonEngineConforms(t *testing.T) {
	chat := func(text string, tokens int32) enginetest.Sample {
		return enginetest.Sample{Messages: []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Chat{
			Chat: &gatewayv1.ChatRequest{Messages: user(text), Sampling: &gatewayv1.SamplingOptions{MaxTokens: &tokens}},
		}}}}
	}
	detect := enginetest.Sample{
		Messages: []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Invoke{Invoke: &enginev1.InvokeTask{
			Method: "detect_language", Params: fields(t, map[string]any{"text": "Hôm qua tôi đi chợ với mẹ."}),
		}}}},
		Check: func(t *testing.T, answer []*enginev1.RunResponse) {
			if got := answer[0].GetInvoke().GetFields()["language"].GetStringValue(); got != "vi" {
				t.Errorf("the language is %q, want vi", got)
			}
		},
	}
	var bad []enginetest.BadFile
	for name, content := range map[string]string{
		"empty": "", "no JSON": "\x00\xff", "a list": "[]", "no language": "{}", "no text": `{"en": ""}`,
	} {
		path := filepath.Join(t.TempDir(), "model.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		bad = append(bad, enginetest.BadFile{Name: name, Path: path, Reason: errs.ModelFileInvalid})
	}
	bad = append(bad, enginetest.BadFile{Name: "a folder", Path: t.TempDir(), Reason: errs.ModelFileInvalid})
	enginetest.Run(t, enginetest.Config{
		Command: []string{python(t), ngramProgram(t)},
		Env:     []string{"PYTHONPATH=" + clientSources(t)},
		Load: &enginev1.LoadRequest{
			ModelName: "languages", Path: ngramModel(t), MaxConcurrency: 2,
			Parameters: fields(t, map[string]any{"order": 5, "delay": 0.005}),
		},
		Samples:  []enginetest.Sample{chat("What did you do?", 20), detect},
		Slow:     chat("What did you do?", 100_000),
		BadFiles: bad,
	})
}

// pythonConfig configures the example engine and the test engine.
func pythonConfig(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "any.model")
	if err := os.WriteFile(file, []byte("a model of the test engine"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`
max_memory_mb: 300
engines:
  ngram: {command: [%q, %q], env: {PYTHONPATH: %q}, max_concurrency: 4}
  fault: {command: [engine-fault], max_concurrency: 4}
models:
  languages: {engine: ngram, path: %q, memory_mb: 200, priority: normal}
  other: {engine: fault, path: %q, memory_mb: 200, priority: normal}
tasks:
  chat: {primary: languages}
  detect_language: {primary: languages, method: detect_language}
`+noOtherTasks, python(t), ngramProgram(t), clientSources(t), ngramModel(t), file)
}

// noOtherTasks routes the built-in tasks to an existing model.
const noOtherTasks = `
  grammar: {primary: other, fallbacks: []}
  respond: {primary: other, fallbacks: []}
  transcribe: {primary: other, fallbacks: []}
  synthesize: {primary: other, fallbacks: []}
  pronunciation: {primary: other, fallbacks: []}
  explain_vietnamese: {primary: other, fallbacks: []}
`

func wantState(t *testing.T, s *server, model string, want gatewayv1.ModelState) {
	t.Helper()
	if got := s.model(t, model).GetState(); got != want {
		t.Errorf("%s is %v, want %v", model, got, want)
	}
}

// A model in Python behaves like one in Go: its first request loads it, it answers,
// is evicted for another model, and is loaded again after a crash.
func TestPythonEngineLifecycle(t *testing.T) {
	s := start(t, pythonConfig(t))
	wantState(t, s, "languages", gatewayv1.ModelState_MODEL_STATE_UNLOADED)

	task, err := s.models.ExecuteTask(t.Context(), &gatewayv1.ExecuteTaskRequest{
		TaskType: "detect_language", Params: fields(t, map[string]any{"text": "Les enfants lisent leurs phrases."}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := task.GetData().GetFields()["language"].GetStringValue(); got != "fr" || task.GetServedBy().GetEngine() != "ngram" {
		t.Errorf("the task answered %v", task)
	}
	chat, err := s.models.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: user("What did the children write?"), Sampling: greedy(40)})
	if err != nil {
		t.Fatal(err)
	}
	if chat.GetMessage().GetContent() == "" || chat.GetUsage().GetCompletionTokenCount() == 0 || chat.GetServedBy().GetModel() != "languages" {
		t.Errorf("the chat answered %v", chat)
	}
	eventually(t, patience, "its process is measured", func() bool {
		return s.model(t, "languages").GetMemory().GetMeasuredBytes() > 0
	})
	languages := s.model(t, "languages")
	if languages.GetLoadCount() != 1 {
		t.Errorf("%d loads for two requests, want 1", languages.GetLoadCount())
	}

	// Evicted: only one of the two fits into the budget.
	if _, err := s.models.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: user("Hello"), Model: "other"}); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, "languages", gatewayv1.ModelState_MODEL_STATE_UNLOADED)
	evicted := s.model(t, "languages").GetLastEviction()
	if evicted.GetReason() != gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE || evicted.GetRequestedBy() != "other" {
		t.Errorf("last eviction %v", evicted)
	}
	if alive(int(languages.GetWorkerPid())) {
		t.Error("its process is still there")
	}

	// Killed in mid-stream: that answer fails, the next request loads the model again.
	tokens := int32(100_000)
	stream, err := s.models.StreamChat(t.Context(), &gatewayv1.StreamChatRequest{
		Messages: user("What did the children write?"), Sampling: &gatewayv1.SamplingOptions{MaxTokens: &tokens},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	pid := int(s.model(t, "languages").GetWorkerPid())
	// Stopped first, so that the answer cannot end before the kill.
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		if err := syscall.Kill(pid, signal); err != nil {
			t.Fatal(err)
		}
	}
	if err := end(stream); errs.ReasonOf(err) != errs.EngineCrashed {
		t.Errorf("the current answer ended with %v, want ENGINE_CRASHED", err)
	}
	again, err := s.models.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: user("Hello"), Sampling: greedy(10)})
	if err != nil {
		t.Fatalf("the next request: %v", err)
	}
	if now := int(s.model(t, "languages").GetWorkerPid()); now == pid || again.GetServedBy().GetLoadDuration().AsDuration() == 0 {
		t.Errorf("served by process %d, want a new one", now)
	}
}

// A cancelled call stops the work in Python, and the worker ends with the server.
func TestPythonEngineCancelAndExit(t *testing.T) {
	s := start(t, pythonConfig(t))
	tokens := int32(100_000)
	stream, err := s.models.StreamChat(t.Context(), &gatewayv1.StreamChatRequest{
		Messages: user("What?"), Sampling: &gatewayv1.SamplingOptions{MaxTokens: &tokens},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	worker := int(s.model(t, "languages").GetWorkerPid())
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "the worker ends with the server", func() bool { return !alive(worker) })
	if err := end(stream); errors.Is(err, io.EOF) {
		t.Error("the answer succeeded without its server")
	}
}

// Neither an answer of an engine nor a refusal puts a user's words into the log.
func TestPythonEngineLogsNoUsersWords(t *testing.T) {
	s := start(t, pythonConfig(t))
	const secret = "tôi tên là Bí Mật"
	params := fields(t, map[string]any{"text": secret, "deep": map[string]any{"x": 1}})
	for method, want := range map[string]errs.Reason{"detect_language": 0, "no_such_method": errs.InvalidRequest} {
		_, err := s.models.Invoke(t.Context(), &gatewayv1.InvokeRequest{ModelName: "languages", Method: method, Params: params})
		if errs.ReasonOf(err) != want {
			t.Errorf("%s ended with %v", method, err)
		}
	}
	s.stop(t)
	if strings.Contains(s.output(), secret) {
		t.Error("the log contains a user's words")
	}
}

// The first engine in docs/adding-an-engine.md works unchanged.
func TestPythonEngineOfTheGuide(t *testing.T) {
	guide, err := os.ReadFile(inProject(t, "docs", "adding-an-engine.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(guide), "```python\n#!/usr/bin/env python3\n")
	code, _, ended := strings.Cut(code, "```")
	if !found || !ended {
		t.Fatal("the guide has no Python program")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "echo.py")
	if err := os.WriteFile(program, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, fmt.Sprintf(`
engines:
  echo: {command: [%q, %q], env: {PYTHONPATH: %q}, max_concurrency: 4}
models:
  other: {engine: echo, path: %q, memory_mb: 64, parameters: {prefix: "Polly says "}}
tasks:
  chat: {primary: other}
`+noOtherTasks, python(t), program, clientSources(t), dir))
	got, err := s.models.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: user("good morning")})
	if err != nil {
		t.Fatal(err)
	}
	if text := got.GetMessage().GetContent(); text != "Polly says good morning " {
		t.Errorf("the answer is %q", text)
	}
	_, err = s.models.Chat(t.Context(), &gatewayv1.ChatRequest{
		Messages: user("x"), Model: "other", Routing: &gatewayv1.Routing{LocalOnly: true},
	})
	if err != nil {
		t.Errorf("a request with local_only: %v", err)
	}
}
