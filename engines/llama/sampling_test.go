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
	// The parameter that the test sets must not be the default by chance.
	file := func(key string) string { return map[string]string{"general.sampling.penalty_repeat": "1.5"}[key] }
	paramtest.PassedOn(t, settings.Defaults(), func(p settings.Parameters) any {
		return sampling(p.Sampling(file), &gatewayv1.SamplingOptions{}, 1)
	}, map[string]string{
		"Context":      "engine.go",
		"Batch":        "engine.go",
		"MicroBatch":   "engine.go",
		"Parallel":     "engine.go",
		"DraftTokens":  "engine.go",
		"GPULayers":    "engine.go",
		"LoadMode":     "engine.go",
		"ChatTemplate": "engine.go",
		"MaxTokens":    "model.go",
	})
}
