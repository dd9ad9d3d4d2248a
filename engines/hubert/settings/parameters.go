// Package settings has the parameters of a model of engine-hubert: defaults, checks and
// the memory estimate that depends on them. It is pure Go, so that the server can
// estimate memory without the engine's library. The engine checks the parameters when
// it loads a model.
//
// To add a parameter, see "A new parameter of an engine" in ARCHITECTURE.md. The files
// are parameters.go and memory.go here, engine.go and model.go of engines/hubert, and
// the table in docs/pronunciation.md.
package settings

import (
	"cmp"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
)

// Parameters are the parameters of a model in the configuration.
type Parameters struct {
	// File is the name of the .onnx file in the model's folder.
	File string `json:"file"`
	// MaxSeconds is the length of the longest clip.
	MaxSeconds float64 `json:"max_seconds"`
	// WindowSeconds is the largest length of audio in one run of the network: the
	// memory of attention grows with its square. Longer clips are computed in
	// windows that overlap by ContextSeconds on either side.
	WindowSeconds float64 `json:"window_seconds"`
	// Measure is the measure of the goodness of pronunciation, one of the constants below.
	Measure string `json:"gop"`
	// Scale is the goodness in nats that lowers a score to 1/e.
	Scale float64 `json:"gop_scale"`
}

// The values of gop.
const (
	MeasureAlignmentFree = "alignment-free"
	MeasureSelfAligned   = "self-aligned"
	MeasureMaxLogit      = "max-logit"
)

// ContextSeconds is the audio that a window has on either side of the frames that
// are taken from it.
const ContextSeconds = 2.0

// Defaults returns the parameters of a model that sets none.
func Defaults() Parameters {
	return Parameters{File: "model.onnx", MaxSeconds: 60, WindowSeconds: 20, Measure: MeasureAlignmentFree, Scale: 2}
}

// Read reads and checks the parameters of a model. A parameter that is unknown or
// out of range is INVALID_REQUEST.
func Read(from *structpb.Struct) (Parameters, error) {
	p := Defaults()
	if err := engines.DecodeParameters(from, &p); err != nil {
		return p, err
	}
	p.File = cmp.Or(p.File, Defaults().File)
	return p, cmp.Or(
		engines.CheckRange("max_seconds", p.MaxSeconds, 1, 600),
		engines.CheckRange("window_seconds", p.WindowSeconds, 2.5*ContextSeconds, 600),
		engines.CheckRange("gop_scale", p.Scale, 0.01, 100),
		engines.CheckOneOf("gop", p.Measure, MeasureAlignmentFree, MeasureMaxLogit, MeasureSelfAligned),
	)
}
