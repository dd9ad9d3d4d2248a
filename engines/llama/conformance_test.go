package llama

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/enginetest"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestConformance runs the conformance suite of all engines with the worker program.
func TestConformance(t *testing.T) {
	program := filepath.Join(t.TempDir(), "engine-llama")
	out, err := exec.Command("go", "build", "-o", program, "github.com/lexilingo/modelgateway/cmd/engine-llama").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path, err := filepath.Abs(starter())
	if err != nil {
		t.Fatal(err)
	}
	parameters, err := structpb.NewStruct(map[string]any{"n_ctx": 8192, "max_tokens": 32})
	if err != nil {
		t.Fatal(err)
	}
	config := enginetest.Config{
		Command: []string{program},
		Env:     []string{"MG_GGML_BACKENDS=" + os.Getenv("MG_GGML_BACKENDS")},
		Load: &enginev1.LoadRequest{
			ModelName: "starter", Path: path, Device: "auto", ThreadCount: 2, MaxConcurrency: 4, Parameters: parameters,
		},
		Samples: samples(),
		Slow:    slowSample(),
	}
	for _, f := range badFiles(t) {
		if f.reason != 0 && f.name != "missing" {
			config.BadFiles = append(config.BadFiles, enginetest.BadFile{Name: f.name, Path: f.path, Reason: f.reason})
		}
	}
	enginetest.Run(t, config)
}

func samples() []enginetest.Sample {
	ask := conversation("You are a tutor.", "Hello")
	return []enginetest.Sample{
		{Messages: []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{Messages: ask}}}}},
		{Messages: []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Grammar{Grammar: &gatewayv1.GrammarRequest{Text: "She have a cat."}}}}},
		{Messages: []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Respond{Respond: &gatewayv1.RespondRequest{Text: "I like tea."}}}}},
		{Messages: []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_ExplainVietnamese{
			ExplainVietnamese: &gatewayv1.ExplainVietnameseRequest{Text: "used to"},
		}}}},
	}
}

// slowSample fills the context window: negative penalties make the model repeat
// itself without end.
func slowSample() enginetest.Sample {
	return enginetest.Sample{Messages: []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{
		Messages: conversation("", "Hello. "+strings.Repeat("I am fine. ", 8)),
		Sampling: &gatewayv1.SamplingOptions{
			Temperature:      proto.Float32(0),
			PresencePenalty:  proto.Float32(-2),
			FrequencyPenalty: proto.Float32(-2),
			MaxTokens:        proto.Int32(7000),
		},
	}}}}}
}
