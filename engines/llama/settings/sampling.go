package settings

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/lexilingo/modelgateway/engines"
)

// Sampling says how tokens are chosen if a request does not.
type Sampling struct {
	Temperature      float32
	TopP             float32
	TopK             int
	MinP             float32
	RepeatPenalty    float32
	PresencePenalty  float32
	FrequencyPenalty float32
}

// family is a family of models that recommends values for sampling.
type family struct {
	name string
	// has reports whether a model with this architecture and name belongs to the
	// family. Both are in lower case.
	has      func(architecture, name string) bool
	sampling Sampling
}

// families are the families with recommended values. Others get those of llama.cpp.
func families() []family {
	return []family{
		// Model card of Qwen/Qwen3-1.7B, "Best Practices": the values without thinking,
		// and the presence penalty for quantized files.
		{"Qwen3", func(architecture, _ string) bool { return strings.HasPrefix(architecture, "qwen3") },
			Sampling{Temperature: 0.7, TopP: 0.8, TopK: 20, RepeatPenalty: 1, PresencePenalty: 1.5}},
		// Model card of HuggingFaceTB/SmolLM2-135M-Instruct, "How to use"; its example
		// sets no top_k, and the library's default is 50.
		{"SmolLM2", func(_, name string) bool { return strings.Contains(name, "smollm2") },
			Sampling{Temperature: 0.2, TopP: 0.9, TopK: 50, RepeatPenalty: 1}},
		// generation_config.json of google/gemma-3-270m and the larger ones.
		{"Gemma 3", func(architecture, _ string) bool { return strings.HasPrefix(architecture, "gemma3") },
			Sampling{Temperature: 1, TopP: 0.95, TopK: 64, RepeatPenalty: 1}},
	}
}

// llamaCPP are the defaults of llama.cpp's own programs.
var llamaCPP = Sampling{Temperature: 0.8, TopP: 0.95, TopK: 40, MinP: 0.05, RepeatPenalty: 1}

// Metadata returns a value of a GGUF file's header as text; empty if it has none.
type Metadata func(key string) string

// Sampling returns how a model with the given metadata chooses tokens: the values of
// the parameters, else those that the file recommends, else those of the model's
// family, else llama.cpp's.
func (p Parameters) Sampling(file Metadata) Sampling {
	s := familySampling(file)
	s.setFile(file)
	set(&s.Temperature, p.Temperature)
	set(&s.TopP, p.TopP)
	set(&s.TopK, p.TopK)
	set(&s.MinP, p.MinP)
	set(&s.RepeatPenalty, p.RepeatPenalty)
	set(&s.PresencePenalty, p.PresencePenalty)
	set(&s.FrequencyPenalty, p.FrequencyPenalty)
	return s
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// familySampling finds a model's family by its architecture, or by its name: fine-tuned
// models have names of their own, but keep the basename.
func familySampling(file Metadata) Sampling {
	architecture := strings.ToLower(file("general.architecture"))
	name := strings.ToLower(file("general.basename") + " " + file("general.name"))
	for _, f := range families() {
		if f.has(architecture, name) {
			return f.sampling
		}
	}
	return llamaCPP
}

// setFile sets the values that a file recommends. Values that no request may have are
// ignored: files come from anywhere.
func (s *Sampling) setFile(file Metadata) {
	number := func(key string, r limits, to *float32) {
		if v, err := strconv.ParseFloat(file("general.sampling."+key), 64); err == nil && v >= r.lowest && v <= r.highest {
			*to = float32(v)
		}
	}
	number("temp", temperatureLimits, &s.Temperature)
	number("top_p", shareLimits, &s.TopP)
	number("min_p", shareLimits, &s.MinP)
	number("penalty_repeat", repeatLimits, &s.RepeatPenalty)
	if k, err := strconv.Atoi(file("general.sampling.top_k")); err == nil && k >= 0 && k <= maxTopK {
		s.TopK = k
	}
}

// limits are the values that are accepted, as in a request.
type limits struct{ lowest, highest float64 }

var (
	temperatureLimits = limits{0, 2}
	shareLimits       = limits{0, 1}
	repeatLimits      = limits{0.01, 2}
	penaltyLimits     = limits{-2, 2}
)

const maxTopK = 100_000

// checkSampling checks the parameters of sampling.
func (p Parameters) checkSampling() error {
	check := func(parameter string, v *float32, r limits) error {
		if v == nil {
			return nil
		}
		return engines.CheckRange(parameter, float64(*v), r.lowest, r.highest)
	}
	topK := 0
	set(&topK, p.TopK)
	return cmp.Or(
		check("temperature", p.Temperature, temperatureLimits),
		check("top_p", p.TopP, shareLimits),
		engines.CheckRange("top_k", topK, 0, maxTopK),
		check("min_p", p.MinP, shareLimits),
		check("repeat_penalty", p.RepeatPenalty, repeatLimits),
		check("presence_penalty", p.PresencePenalty, penaltyLimits),
		check("frequency_penalty", p.FrequencyPenalty, penaltyLimits),
	)
}
