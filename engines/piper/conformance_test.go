package piper

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/enginetest"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestConformance runs the conformance suite with the real worker program. The
// voice computes long for little sound, so that a run does not end by blocking on
// messages that are not read.
func TestConformance(t *testing.T) {
	program := filepath.Join(t.TempDir(), "engine-piper")
	out, err := exec.Command("go", "build", "-o", program, "github.com/lexilingo/modelgateway/cmd/engine-piper").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := enginetest.Config{
		Command: []string{program},
		Env:     []string{"MG_ONNXRUNTIME=" + os.Getenv("MG_ONNXRUNTIME"), "MG_ESPEAK_DATA=" + os.Getenv("MG_NATIVE_LIB")},
		Load: &enginev1.LoadRequest{
			ModelName: "slow", Path: testVoice(t, "slow", nil), Device: "auto", ThreadCount: 2, MaxConcurrency: 2,
			Parameters: &structpb.Struct{Fields: map[string]*structpb.Value{"max_phonemes": structpb.NewNumberValue(100)}},
		},
		Samples: []enginetest.Sample{
			{Messages: run(text("Hello. Good bye."))},
			{Name: "phonemes", Messages: run(&gatewayv1.SynthesizeRequest{
				Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: "həlˈoʊ."},
			})},
		},
		Slow: enginetest.Sample{Messages: run(text(strings.Repeat("This sentence is said again and again. ", 2000)))},
	}
	for _, f := range badFiles(t) {
		config.BadFiles = append(config.BadFiles, enginetest.BadFile{Name: f.name, Path: f.path, Reason: f.reason})
	}
	enginetest.Run(t, config)
}

func run(req *gatewayv1.SynthesizeRequest) []*enginev1.RunRequest {
	return []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Synthesize{Synthesize: req}}}
}
