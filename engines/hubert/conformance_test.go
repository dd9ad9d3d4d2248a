package hubert

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/enginetest"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// TestConformance runs the conformance suite of all engines with the worker program
// and a model that needs a long time for long clips.
func TestConformance(t *testing.T) {
	program := filepath.Join(t.TempDir(), "engine-hubert")
	out, err := exec.Command("go", "build", "-o", program, "github.com/lexilingo/modelgateway/cmd/engine-hubert").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := enginetest.Config{
		Command: []string{program},
		Env:     []string{"MG_ONNXRUNTIME=" + os.Getenv("MG_ONNXRUNTIME")},
		Load: &enginev1.LoadRequest{
			ModelName: "tones", Path: folder(t, "slow.onnx", published()), Device: "auto", ThreadCount: 2, MaxConcurrency: 2,
		},
		Samples: []enginetest.Sample{{
			Messages: run("The cat sat.", whistle("the cat sat")),
			Check: func(t *testing.T, answer []*enginev1.RunResponse) {
				if resp := answer[0].GetPronunciation(); summary(resp) != "The cat sat" || resp.GetOverallScore() < 90 {
					t.Errorf("the answer is %v", resp)
				}
			},
		}},
		Slow: enginetest.Sample{Messages: run("The cat sat.", make([]float32, 59*audio.SampleRate))},
	}
	for _, f := range badFiles(t) {
		if f.name != "absent" {
			config.BadFiles = append(config.BadFiles, enginetest.BadFile{Name: f.name, Path: absolute(t, f.path), Reason: f.reason})
		}
	}
	enginetest.Run(t, config)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func run(text string, samples []float32) []*enginev1.RunRequest {
	return []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Pronunciation{Pronunciation: request(text, samples)}}}
}
