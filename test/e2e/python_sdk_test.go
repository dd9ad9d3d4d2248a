package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/enginetest"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func everyTask(t *testing.T) (program, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(file, []byte("a model"), 0o600); err != nil {
		t.Fatal(err)
	}
	return inProject(t, "test", "e2e", "python", "every_task.py"), file
}

func one(req *enginev1.RunRequest) []*enginev1.RunRequest { return []*enginev1.RunRequest{req} }

// The Python SDK supports the input and output of every task.
func TestPythonSDKSupportsEveryTask(t *testing.T) {
	program, file := everyTask(t)
	params := fields(t, map[string]any{"text": "x", "n": 3, "list": []any{true, nil, 1.5}, "deep": map[string]any{"a": "b"}})
	endless := int32(1_000_000)
	chat := func(sampling *gatewayv1.SamplingOptions) []*enginev1.RunRequest {
		return one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{Messages: user("Hello"), Sampling: sampling}}})
	}
	samples := []enginetest.Sample{
		{Messages: chat(nil)},
		{Messages: one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Grammar{Grammar: &gatewayv1.GrammarRequest{Text: "x"}}})},
		{Messages: one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Respond{Respond: &gatewayv1.RespondRequest{Text: "x"}}})},
		{Messages: one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_ExplainVietnamese{ExplainVietnamese: &gatewayv1.ExplainVietnameseRequest{Text: "x"}}})},
		{
			Messages: []*enginev1.RunRequest{
				{Payload: &enginev1.RunRequest_Transcribe{Transcribe: &gatewayv1.TranscriptionConfig{InterimResults: true}}},
				{Payload: &enginev1.RunRequest_Audio{Audio: make([]byte, 1000)}},
				{Payload: &enginev1.RunRequest_Audio{Audio: make([]byte, 1<<20)}},
			},
			Check: func(t *testing.T, answer []*enginev1.RunResponse) {
				if got := answer[len(answer)-1].GetTranscribe().GetFinal().GetText(); got != "1049576 bytes" || len(answer) != 3 {
					t.Errorf("%d events, the last one with %q", len(answer), got)
				}
			},
		},
		{Messages: one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Synthesize{Synthesize: &gatewayv1.SynthesizeRequest{
			Input: &gatewayv1.SynthesizeRequest_Text{Text: "one two"},
		}}})},
		{Messages: one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Pronunciation{Pronunciation: &gatewayv1.PronunciationRequest{ReferenceText: "x", Audio: []byte("x")}}})},
		{
			Messages: one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Invoke{Invoke: &enginev1.InvokeTask{Method: "echo", Params: params}}}),
			Check: func(t *testing.T, answer []*enginev1.RunResponse) {
				if got := answer[0].GetInvoke(); !proto.Equal(got, params) {
					t.Errorf("sent %v, received %v", params, got)
				}
			},
		},
	}
	enginetest.Run(t, enginetest.Config{
		Command: []string{python(t), program},
		Env:     []string{"PYTHONPATH=" + clientSources(t)},
		Load: &enginev1.LoadRequest{
			ModelName: "every", Path: file, MaxConcurrency: 3, Parameters: fields(t, map[string]any{"pause": 0.005}),
		},
		Samples: samples,
		Slow:    enginetest.Sample{Messages: chat(&gatewayv1.SamplingOptions{MaxTokens: &endless})},
	})
}

// A model may support fewer tasks than its engine. The log has the place of a
// failure but not its message, which may contain a user's words.
func TestPythonSDKReportsFailures(t *testing.T) {
	program, file := everyTask(t)
	s := start(t, `
engines:
  every: {command: ["`+python(t)+`", "`+program+`"], env: {PYTHONPATH: "`+clientSources(t)+`"}, max_concurrency: 2}
models:
  other: {engine: every, path: "`+file+`", memory_mb: 100, parameters: {tasks: [chat, invoke]}}
tasks:
  chat: {primary: other}
`+noOtherTasks)
	const secret = "Bí Mật"
	_, err := s.models.Invoke(t.Context(), &gatewayv1.InvokeRequest{
		ModelName: "other", Method: "fail", Params: fields(t, map[string]any{"text": secret}),
	})
	if errs.ReasonOf(err) != errs.Internal || strings.Contains(err.Error(), secret) {
		t.Errorf("an internal error of the engine ended with %v", err)
	}
	_, err = s.models.Grammar(t.Context(), &gatewayv1.GrammarRequest{Text: "x"})
	if errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("a task that the model does not support ended with %v", err)
	}
	if _, err := s.models.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: user("x")}); err != nil {
		t.Errorf("the next request: %v", err)
	}
	s.stop(t)
	log := s.output()
	if strings.Contains(log, secret) {
		t.Error("the log contains a user's words")
	}
	if !strings.Contains(log, "RuntimeError") || !strings.Contains(log, "every_task.py") {
		t.Error("the log does not say where the engine failed")
	}
}
