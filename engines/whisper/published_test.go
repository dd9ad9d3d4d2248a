package whisper

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// recording returns the samples of a recording in Debian's package
// pocketsphinx-testdata: people who read sentences or names of cards.
func recording(t *testing.T, name string) []float32 {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/usr/share/pocketsphinx/test/data", name))
	if err != nil {
		t.Skipf("people's speech is in Debian's package pocketsphinx-testdata: %v", err)
	}
	return decode(t, data)
}

func sentence(t *testing.T, number string) []float32 {
	t.Helper()
	return recording(t, "librivox/sense_and_sensibility_01_austen_64kb-"+number+".wav")
}

// TestPublishedModels compares published models with whisper-cli on people's speech.
func TestPublishedModels(t *testing.T) {
	long := func(t *testing.T) []float32 {
		return slices.Concat(sentence(t, "0870"), personSamples(t), sentence(t, "0920"), sentence(t, "0890"), sentence(t, "0880"))
	}
	card := func(t *testing.T) []float32 { return recording(t, "cards/002.wav") }
	english := &gatewayv1.TranscriptionConfig{Language: "en"}
	for _, c := range []struct {
		name, model string
		samples     func(*testing.T) []float32
		config      *gatewayv1.TranscriptionConfig
		options     []string
		late        bool // the reference ends after the audio, the answer with it
	}{
		{"tiny.en, one sentence", "whisper-tiny.en", func(t *testing.T) []float32 { return sentence(t, "0930") }, english, []string{"-bs", "1"}, false},
		{"tiny.en, beams", "whisper-tiny.en", func(t *testing.T) []float32 { return sentence(t, "0880") },
			&gatewayv1.TranscriptionConfig{Language: "en", BeamSize: 5}, []string{"-bs", "5"}, false},
		{"tiny.en, an end after the audio", "whisper-tiny.en", card, english, []string{"-bs", "1"}, true},
		{"tiny.en, two people in two windows", "whisper-tiny.en", long, english, []string{"-bs", "1"}, false},
		{"base, an end after the audio", "whisper-base", card, english, []string{"-bs", "1"}, true},
		{"base, detected language", "whisper-base", func(t *testing.T) []float32 { return sentence(t, "0930") },
			&gatewayv1.TranscriptionConfig{}, []string{"-bs", "1", "-l", "auto"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, samples := modelstest.Path(t, c.model), c.samples(t)
			want := whisperCLI(t, path, samples, c.options...)
			if n := want.words(); n < 3 {
				t.Fatalf("the reference has only %d words to compare", n)
			}
			m := load(t, path, nil)
			c.config.WordTimestamps = true
			got := final(t, m, c.config, wav(samples, 16000, 1))
			want.compareAnswer(t, got)
			if c.config.GetLanguage() != "" { // else the language of the raw run is not set
				want.compare(t, rawSegments(t, m, c.config, samples))
			}
			last := want.Transcription[len(want.Transcription)-1].Offsets.To
			if length := milliseconds(got.GetAudioDuration()); c.late && last <= length {
				t.Errorf("the reference ends at %d ms, the audio at %d", last, length)
			}
		})
	}
}
