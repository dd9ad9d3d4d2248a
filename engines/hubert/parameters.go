package hubert

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/hubert/scoring"
)

// parameters are a model's settings in the configuration.
type parameters struct {
	// File is the model's file in its folder, where that is not model.onnx.
	File string `json:"file"`
	// MaxSeconds is the longest clip.
	MaxSeconds float64 `json:"max_seconds"`
	// WindowSeconds is the most audio of one run of the network: attention takes
	// memory by its square. Longer clips are computed in windows that overlap.
	WindowSeconds float64 `json:"window_seconds"`
	// Measure of the goodness of pronunciation.
	Measure string `json:"gop"`
	// Scale is the goodness in nats that lowers a score to 1/e.
	Scale float64 `json:"gop_scale"`
}

func defaults() parameters {
	return parameters{MaxSeconds: 60, WindowSeconds: 20, Measure: "alignment-free", Scale: 2}
}

func measures() map[string]scoring.Measure {
	return map[string]scoring.Measure{
		"alignment-free": scoring.AlignmentFree,
		"self-aligned":   scoring.SelfAligned,
		"max-logit":      scoring.MaxLogit,
	}
}

// readParameters checks the settings of a model.
func readParameters(opts engines.LoadOptions) (parameters, error) {
	p := defaults()
	if err := engines.DecodeParameters(opts.Parameters, &p); err != nil {
		return p, err
	}
	if err := cmp.Or(
		engines.CheckRange("max_seconds", p.MaxSeconds, 1, 600),
		engines.CheckRange("window_seconds", p.WindowSeconds, 2.5*contextSeconds, 600),
		engines.CheckRange("gop_scale", p.Scale, 0.01, 100),
	); err != nil {
		return p, err
	}
	if _, ok := measures()[p.Measure]; !ok {
		return p, errs.New(errs.InvalidRequest, "parameter %q must be one of %s, not %q",
			"gop", strings.Join(slices.Sorted(maps.Keys(measures())), ", "), p.Measure).With("parameter", "gop")
	}
	return p, nil
}
