package enginetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/enginetest"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestFaultEngine runs the suite against engine-fault without faults.
func TestFaultEngine(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parameters, err := structpb.NewStruct(map[string]any{"load_ms": 300, "allocate_bytes": 20 << 20})
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Run(t, enginetest.Config{
		Command: []string{build(t)},
		Load: &enginev1.LoadRequest{
			ModelName: "good", Path: file("good", "model"), Device: "auto",
			ThreadCount: 1, MaxConcurrency: 4, Parameters: parameters,
		},
		Samples: samples(),
		Slow:    slow(),
		BadFiles: []enginetest.BadFile{
			{Name: "empty", Path: file("empty", ""), Reason: errs.ModelFileInvalid},
			{Name: "corrupt", Path: file("corrupt", "corrupt"), Reason: errs.ModelFileInvalid},
			{Name: "a folder", Path: dir, Reason: errs.ModelFileInvalid},
		},
	})
}

// TestChatOnlyEngine runs the suite against a model that does only one task.
func TestChatOnlyEngine(t *testing.T) {
	parameters, err := structpb.NewStruct(map[string]any{"chat_only": true})
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Run(t, enginetest.Config{
		Command: []string{build(t)},
		Load:    &enginev1.LoadRequest{ModelName: "chat-only", MaxConcurrency: 2, Parameters: parameters},
		Samples: samples()[:1],
		Slow:    slow(),
	})
}

func slow() enginetest.Sample {
	return enginetest.Sample{Messages: chat(`fault: {"token_count": 1000000, "token_interval_us": 10000}`)}
}

// build builds engine-fault.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "engine-fault")
	out, err := exec.Command("go", "build", "-o", program, "github.com/lexilingo/modelgateway/cmd/engine-fault").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func chat(content string) []*enginev1.RunRequest {
	return []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: content}},
	}}}}
}

func samples() []enginetest.Sample {
	one := func(req *enginev1.RunRequest) enginetest.Sample {
		return enginetest.Sample{Messages: []*enginev1.RunRequest{req}}
	}
	audio := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Audio{Audio: make([]byte, 3200)}}
	return []enginetest.Sample{
		{Messages: chat("hello")},
		one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Grammar{Grammar: &gatewayv1.GrammarRequest{Text: "He go."}}}),
		one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Respond{Respond: &gatewayv1.RespondRequest{Text: "Hi"}}}),
		one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_ExplainVietnamese{
			ExplainVietnamese: &gatewayv1.ExplainVietnameseRequest{Text: "Hi"},
		}}),
		{
			Messages: []*enginev1.RunRequest{
				{Payload: &enginev1.RunRequest_Transcribe{Transcribe: &gatewayv1.TranscriptionConfig{InterimResults: true}}},
				audio, audio,
			},
			Check: func(t *testing.T, answer []*enginev1.RunResponse) {
				if got := answer[len(answer)-1].GetTranscribe().GetFinal().GetText(); got != "6400 bytes" {
					t.Errorf("the transcript is %q", got)
				}
			},
		},
		one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Synthesize{Synthesize: &gatewayv1.SynthesizeRequest{
			Input: &gatewayv1.SynthesizeRequest_Text{Text: "hello world"},
		}}}),
		one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Pronunciation{
			Pronunciation: &gatewayv1.PronunciationRequest{ReferenceText: "hello world"},
		}}),
		one(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Invoke{Invoke: &enginev1.InvokeTask{Method: "echo"}}}),
	}
}
