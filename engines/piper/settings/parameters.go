// Package settings has the parameters of a voice of engine-piper: defaults, checks and
// the memory estimate that depends on them. It is pure Go, so that the server can
// estimate memory without the engine's library. The engine checks the parameters when
// it loads a voice.
//
// To add a parameter, see "A new parameter of an engine" in ARCHITECTURE.md. The files
// are parameters.go and memory.go here, options.go of engines/piper, and the table in
// docs/text-to-speech.md.
package settings

import (
	"cmp"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
)

// Parameters are the parameters of a voice in the configuration. They apply where
// a request does not say.
type Parameters struct {
	// Speaker is a name or a number; empty is the voice's default.
	Speaker string `json:"speaker"`
	// NoiseScale, NoiseW and LengthScale are nil for the scales that the voice's
	// own file states.
	NoiseScale  *float64 `json:"noise_scale"`
	NoiseW      *float64 `json:"noise_w"`
	LengthScale *float64 `json:"length_scale"`
	// SentenceSilence is the silence after a sentence in seconds.
	SentenceSilence float64 `json:"sentence_silence"`
	// Volume is a factor on the samples.
	Volume float64 `json:"volume"`
	// MaxPhonemes is the largest number of phonemes in one run at the voice's own
	// speed or faster; slower speech has fewer. It limits the memory of a run, and
	// the time until a cancel takes effect and until progress is reported.
	MaxPhonemes int `json:"max_phonemes"`
}

const (
	// MinPhonemes is the number of phonemes that a run may always have, however
	// slow the speech is.
	MinPhonemes = 20
	maxPhonemes = 10_000
)

// Defaults returns the parameters of a voice that sets none. 150 phonemes are
// about 10 s of speech, two long lines of text; a medium voice needs up to 1.9 MB
// for each of them.
func Defaults() Parameters {
	return Parameters{SentenceSilence: 0.2, Volume: 1, MaxPhonemes: 150}
}

// Read reads and checks the parameters of a voice, except that the voice has the
// speaker. A parameter that is unknown or out of range is INVALID_REQUEST.
func Read(from *structpb.Struct) (Parameters, error) {
	p := Defaults()
	if err := engines.DecodeParameters(from, &p); err != nil {
		return p, err
	}
	return p, cmp.Or(
		checkScale("noise_scale", p.NoiseScale, 0),
		checkScale("noise_w", p.NoiseW, 0),
		checkScale("length_scale", p.LengthScale, 0.01),
		engines.CheckRange("sentence_silence", p.SentenceSilence, 0, 10),
		engines.CheckRange("volume", p.Volume, 0, 2),
		engines.CheckRange("max_phonemes", p.MaxPhonemes, MinPhonemes, maxPhonemes),
	)
}

func checkScale(parameter string, value *float64, least float64) error {
	if value == nil {
		return nil
	}
	return engines.CheckRange(parameter, *value, least, 100)
}
