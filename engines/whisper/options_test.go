package whisper

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/internal/paramtest"
	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

func TestMaxDecodersIsWhispercpps(t *testing.T) {
	if settings.MaxDecoders != whispercpp.MaxDecoders {
		t.Errorf("settings has %d, whisper.cpp %d", settings.MaxDecoders, whispercpp.MaxDecoders)
	}
}

// TestParametersArePassedOn checks that each parameter changes an option of
// whisper.cpp. A test in package whispercpp checks that each option reaches whisper.cpp.
func TestParametersArePassedOn(t *testing.T) {
	paramtest.PassedOn(t, settings.Defaults(), func(p settings.Parameters) any {
		q := parameters{p}
		return []any{q.options(1), q.vad(), q.audioContext(speech.Rate, false)}
	}, map[string]string{
		"FlashAttention":    "engine.go: it is an option of the load",
		"VADModel":          "stream.go: it is the path of a file",
		"VADSamplesOverlap": "transcription.go: where the speech is cut out",
		"SilenceThreshold":  "transcription.go and live.go: silence is found without whisper.cpp",
		"MaxDisagreement":   "certain.go: the engine compares two transcripts",
		"BlockSeconds":      "whole.go",
		"StepMS":            "live.go",
		"TrimSeconds":       "live.go",
	})
}
