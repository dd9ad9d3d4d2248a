package llama

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/internal/paramtest"
	"github.com/lexilingo/modelgateway/engines/llama/settings"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestSamplingParametersArePassedOn checks that each parameter of sampling changes what
// llama.cpp gets.
func TestSamplingParametersArePassedOn(t *testing.T) {
	paramtest.PassedOn(t, settings.Defaults(), func(p settings.Parameters) any {
		return sampling(p, &gatewayv1.SamplingOptions{}, 1)
	}, map[string]string{
		"Context":      "engine.go",
		"Batch":        "engine.go",
		"MicroBatch":   "engine.go",
		"Parallel":     "engine.go",
		"GPULayers":    "engine.go",
		"LoadMode":     "engine.go",
		"ChatTemplate": "engine.go",
		"MaxTokens":    "model.go",
	})
}
