package settings

import (
	"math"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// TestSampling checks what applies to a model: its parameters, its file, its family, in
// this order.
func TestSampling(t *testing.T) {
	qwen := Sampling{Temperature: 0.7, TopP: 0.8, TopK: 20, RepeatPenalty: 1, PresencePenalty: 1.5}
	smol := Sampling{Temperature: 0.2, TopP: 0.9, TopK: 50, RepeatPenalty: 1}
	gemma := Sampling{Temperature: 1, TopP: 0.95, TopK: 64, RepeatPenalty: 1}
	recommended := map[string]string{
		"general.architecture": "qwen3", "general.sampling.temp": "0.5", "general.sampling.top_k": "7", "general.sampling.top_p": "0.75",
		"general.sampling.min_p": "0.25", "general.sampling.penalty_repeat": "1.25",
	}
	for _, c := range []struct {
		name       string
		file       map[string]string
		parameters map[string]any
		want       Sampling
	}{
		{"Qwen3", map[string]string{"general.architecture": "qwen3", "general.name": "Qwen3 1.7B"}, nil, qwen},
		{"Qwen3 with experts", map[string]string{"general.architecture": "qwen3moe"}, nil, qwen},
		{"SmolLM2", map[string]string{"general.architecture": "llama", "general.basename": "smollm2"}, nil, smol},
		{"SmolLM2 by its name", map[string]string{"general.architecture": "llama", "general.name": "SmolLM2 Tutor"}, nil, smol},
		{"Gemma 3", map[string]string{"general.architecture": "gemma3", "general.basename": "gemma-3"}, nil, gemma},
		{"another family", map[string]string{"general.architecture": "llama", "general.name": "Some Model"}, nil, llamaCPP},
		{"no metadata", nil, nil, llamaCPP},
		{"values of the file", recommended, nil, Sampling{Temperature: 0.5, TopP: 0.75, TopK: 7, MinP: 0.25, RepeatPenalty: 1.25, PresencePenalty: 1.5}},
		{"values of the file that no request may have", map[string]string{
			"general.architecture": "qwen3", "general.sampling.temp": "nan", "general.sampling.top_k": "-1", "general.sampling.top_p": "7",
			"general.sampling.min_p": "", "general.sampling.penalty_repeat": "0",
		}, nil, qwen},
		{"parameters", recommended, map[string]any{"temperature": 0, "top_k": 0, "presence_penalty": 0, "frequency_penalty": 0.5},
			Sampling{TopP: 0.75, MinP: 0.25, RepeatPenalty: 1.25, FrequencyPenalty: 0.5}},
	} {
		from, err := structpb.NewStruct(c.parameters)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Read(from, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Sampling(func(key string) string { return c.file[key] }); got != c.want {
			t.Errorf("%s: got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

// TestSamplingLimits checks that parameters have the limits of a request.
func TestSamplingLimits(t *testing.T) {
	for parameter, values := range map[string][]float64{
		"temperature": {-0.1, 2.1, math.MaxFloat32}, "top_p": {-1, 1.1}, "top_k": {-1, 100_001}, "min_p": {-0.1, 2},
		"repeat_penalty": {0, -1, 3}, "presence_penalty": {-3, 3}, "frequency_penalty": {-3, 3},
	} {
		for _, v := range values {
			from, err := structpb.NewStruct(map[string]any{parameter: v})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Read(from, 1); errs.ReasonOf(err) != errs.InvalidRequest {
				t.Errorf("%s: %v gives %v, want INVALID_REQUEST", parameter, v, err)
			}
		}
	}
}
