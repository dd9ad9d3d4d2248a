package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestLibraryVariables checks that the variables for the paths of libraries, set in
// the server's environment, reach the engines. With a wrong path the engine does
// not find the library, and its error names the variable.
func TestLibraryVariables(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for variable, models := range map[string][]string{
		"MG_ONNXRUNTIME":   {"piper", "hubert"},
		"MG_GGML_BACKENDS": {"qwen", "whisper"},
		"MG_ESPEAK_DATA":   {"piper"},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, nowhere)
			s := start(t, speechModels)
			for _, model := range models {
				stream, err := s.admin.LoadModel(within(t, patience), &gatewayv1.LoadModelRequest{Name: model})
				for err == nil {
					_, err = stream.Recv()
				}
				if errs.From(err).Reason() != errs.EngineUnavailable || !strings.Contains(err.Error(), variable) {
					t.Errorf("%s: %v", model, err)
				}
			}
		})
	}
}
