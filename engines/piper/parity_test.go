package piper

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// texts returns the texts to compare, by espeak-ng voice.
func texts(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "sentences.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sets map[string][]string
	if err := json.Unmarshal(data, &sets); err != nil {
		t.Fatal(err)
	}
	return sets
}

// bridge is a Phonemiser that uses the espeak-ng of piper-tts.
type bridge struct{ *reference }

// Translate implements phonemes.Phonemiser.
func (b bridge) Translate(_ context.Context, _, text string) ([]phonemes.Translation, error) {
	var clauses [][3]any // phonemes, punctuation mark, whether it ends a sentence
	b.ask(map[string]any{"text": text}, &clauses)
	terminators := map[string]int{".": 0x80028, "?": 0x82028, "!": 0x8302d, ",": 0x41014, ":": 0x4001e, ";": 0x4101e}
	var out []phonemes.Translation
	for _, c := range clauses {
		terminator := terminators[c[1].(string)]
		if terminator == 0 && c[2].(bool) {
			terminator = 0x90028 // end of the text
		}
		out = append(out, phonemes.Translation{Phonemes: c[0].(string), Terminator: terminator})
	}
	return out, nil
}

func idsOf(t *testing.T, m *model, p phonemes.Phonemiser, text string) [][]int64 {
	t.Helper()
	sentences, err := phonemes.FromText(t.Context(), p, m.voice.config, text)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([][]int64, len(sentences))
	for i, s := range sentences {
		ids[i] = phonemes.ToIDs(m.voice.config, s.Symbols).Values
	}
	return ids
}

// TestIDs checks that the ids of texts in several languages are those of piper-tts.
//
// piper-tts contains a libespeak-ng that is newer than 1.52 (1.52.0.1) and writes some
// sounds differently, also with the data of 1.52. So the texts are compared twice: with
// the phonemes of that library, where all ids must be equal, and with those of the
// installed library, where only known differences are accepted.
func TestIDs(t *testing.T) {
	equal, all := 0, 0
	for voice, texts := range texts(t) {
		path := changedVoice(t, espeakVoice(voice))
		equal += compareIDs(t, path, texts)
		all += len(texts)
	}
	t.Logf("%d of %d texts have equal ids with either library", equal, all)
	if equal < 40 {
		t.Errorf("only %d texts are equal with either library", equal)
	}
}

// compareIDs returns the number of texts with equal ids with either library.
func compareIDs(t *testing.T, path string, texts []string) (equal int) {
	t.Helper()
	m := loadVoice(t, path, nil)
	piper, clauses := startReference(t, path, "ids"), bridge{startReference(t, path, "clauses")}
	for _, text := range texts {
		var want [][]int64
		piper.ask(map[string]any{"text": text}, &want)
		if got := idsOf(t, m, clauses, text); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("with the espeak-ng of piper-tts, %s, %q\n got %v\nwant %v", m.voice.config.EspeakVoice, text, got, want)
		}
		got := idsOf(t, m, m.translate, text)
		if slices.EqualFunc(got, want, slices.Equal) {
			equal++
			continue
		}
		t.Logf("%s, %q: not equal", m.voice.config.EspeakVoice, text)
		known := func(a, b []int64) bool { return slices.Equal(withoutKnown(a), withoutKnown(b)) }
		if !slices.EqualFunc(got, want, known) {
			t.Errorf("with the installed espeak-ng, %s, %q\n got %v\nwant %v", m.voice.config.EspeakVoice, text, got, want)
		}
	}
	return equal
}

// withoutKnown removes the differences between libespeak-ng 1.52 and newer ones,
// by the ids of published voices: the glide ʲ (119) between two vowels ("the
// end"), which only newer ones write, and r (30) or ɾ (92) in German.
func withoutKnown(ids []int64) []int64 {
	var out []int64
	for i := 0; i < len(ids); i++ {
		switch ids[i] {
		case 119:
			i++ // and its pad
		case 92:
			out = append(out, 30)
		default:
			out = append(out, ids[i])
		}
	}
	return out
}

// TestSamples checks that, without noise, samples and durations are those of
// piper-tts for the same ids.
func TestSamples(t *testing.T) {
	compareSamples(t, starter(), []float32{1, 0.5, 1.7}, []string{"Hello, world!", "Is the quick brown fox there?", "Stop."})
}

// TestPublishedVoice compares a published voice with piper-tts: ids and samples.
func TestPublishedVoice(t *testing.T) {
	path := modelstest.Path(t, "en_US-joe-medium")
	compareIDs(t, path, texts(t)["en-us"])
	compareSamples(t, path, []float32{1}, []string{"Is the quick brown fox there?", "It costs $3.50, or £2.80; that's about 10% less."})
}

func compareSamples(t *testing.T, path string, lengths []float32, texts []string) {
	t.Helper()
	m := loadVoice(t, path, nil)
	piper := startReference(t, path, "audio")
	for _, length := range lengths {
		for _, text := range texts {
			sentences, err := phonemes.FromText(t.Context(), m.translate, m.voice.config, text)
			if err != nil {
				t.Fatal(err)
			}
			ids := phonemes.ToIDs(m.voice.config, sentences[0].Symbols).Values
			got, err := m.voice.speak(t.Context(), ids, options{length: length})
			if err != nil {
				t.Fatal(err)
			}
			var samples []float32
			var durations []int
			piper.ask(map[string]any{"ids": ids, "scales": []float32{0, length, 0}, "speaker": nil}, &[]any{&samples, &durations})
			if len(samples) != len(got.samples) || !slices.Equal(durations, got.durations) {
				t.Fatalf("%q at %v: %d samples, want %d; durations %v, want %v",
					text, length, len(got.samples), len(samples), got.durations, durations)
			}
			var most float64
			for i := range samples {
				most = max(most, math.Abs(float64(samples[i]-got.samples[i])))
			}
			t.Logf("%q at %v: %d samples, largest difference %.2g", text, length, len(samples), most)
			if most > 1e-4 {
				t.Errorf("%q at %v: the largest difference is %v", text, length, most)
			}
		}
	}
}
