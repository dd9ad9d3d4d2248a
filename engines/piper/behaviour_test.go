package piper

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// sound returns the samples of all messages.
func sound(messages []*gatewayv1.SynthesizeResponse) []int16 {
	var samples []int16
	for _, m := range messages {
		for i := 0; i+1 < len(m.GetAudio()); i += 2 {
			samples = append(samples, int16(binary.LittleEndian.Uint16(m.GetAudio()[i:]))) //nolint:gosec // reinterprets the bits
		}
	}
	return samples
}

func mustSay(t *testing.T, m *model, req *gatewayv1.SynthesizeRequest) []*gatewayv1.SynthesizeResponse {
	t.Helper()
	out, err := say(t.Context(), m, req)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range out {
		if rate := r.GetSampleRateHertz(); (i == 0) != (rate == 22050) {
			t.Errorf("message %d has the rate %d", i, rate)
		}
		if n := len(r.GetAudio()); n%2 != 0 || n > pieceBytes {
			t.Errorf("message %d has %d bytes", i, n)
		}
	}
	return out
}

func sentencesOf(messages []*gatewayv1.SynthesizeResponse) (sentences []string) {
	for _, m := range messages {
		if m.GetSentence() != "" {
			sentences = append(sentences, m.GetSentence())
		}
	}
	return sentences
}

func TestSpeak(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	out := mustSay(t, m, text("Hello there, my friend. How are you today?  Fine!"))
	if got, want := sentencesOf(out), []string{"Hello there, my friend.", "How are you today?", "Fine!"}; !slices.Equal(got, want) {
		t.Errorf("the sentences are %q", got)
	}
	samples := sound(out)
	if seconds := float64(len(samples)) / 22050; seconds < 2 || seconds > 10 {
		t.Errorf("the speech takes %.1f s", seconds)
	}
	if loudest := slices.Max(samples); loudest < 30000 {
		t.Errorf("the loudest sample is %d", loudest)
	}
	// The last 0.2 s are the silence after the sentence.
	if tail := samples[len(samples)-4410:]; slices.Max(tail) != 0 || slices.Min(tail) != 0 {
		t.Error("the last sentence is not followed by silence")
	}
}

// TestSentencesAreEmittedOneByOne checks that each sentence is emitted before the
// next is computed. The model counts one unit of work for each computed sentence.
func TestSentencesAreEmittedOneByOne(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	before := m.work.Count()
	var counts []uint64
	err := m.Synthesize(t.Context(), text("One. Two. Three."), func(r *gatewayv1.SynthesizeResponse) error {
		if r.GetSentence() != "" {
			counts = append(counts, m.work.Count()-before)
		}
		return nil
	})
	// One unit for the phonemes, one for each sentence so far.
	if want := []uint64{2, 3, 4}; err != nil || !slices.Equal(counts, want) {
		t.Errorf("the sentences were emitted after %v units of work, want %v (%v)", counts, want, err)
	}
}

func TestEmitFails(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	gone := errors.New("the caller is gone")
	calls := 0
	err := m.Synthesize(t.Context(), text("One. Two. Three."), func(*gatewayv1.SynthesizeResponse) error {
		calls++
		return gone
	})
	if !errors.Is(err, gone) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestTextWithoutWords checks that a text without words is not an error.
func TestTextWithoutWords(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	for _, s := range []string{" ", "\n\t\n", "...", "?!?!", "“”", "\u200b\ufeff", "🫥", "[[ ]]", "[[ﷺ]]"} {
		if out := mustSay(t, m, text(s)); len(out) == 0 {
			t.Errorf("%q: no message", s)
		}
	}
	out := mustSay(t, m, &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: "ﷺ"}})
	if len(out) != 1 || len(out[0].GetAudio()) != 0 {
		t.Errorf("unknown phonemes: %v", out)
	}
}

func TestPhonemes(t *testing.T) {
	m := loadVoice(t, starter(), map[string]any{"noise_scale": 0, "noise_w": 0})
	spoken := sound(mustSay(t, m, text("Hello. Hello.")))
	raw := sound(mustSay(t, m, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: "həlˈoʊ. həlˈoʊ."},
	}))
	if !slices.Equal(spoken, raw) {
		t.Errorf("the text gives %d samples, its phonemes give %d or different ones", len(spoken), len(raw))
	}
}

// TestWords checks that each word has a time, in order and within the sound.
func TestWords(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	for said, read := range map[string]string{
		"The cat, in the hat, has paid $3.50 for it. Was it Dr. Smith?": "The cat in the hat has paid 3 dollars and 50 cents for it Was it Dr Smith",
		"One two three": "One two three",
		"In 1998, 25% of the state-of-the-art CPUs cost £1,000.": "In nineteen ninety eight 25 of the state-of-the-art CPUs cost 1,000 pounds",
		"12,998 cases in the box":                                "12,998 cases in the box",
	} {
		var words []*gatewayv1.SpokenWord
		out := mustSay(t, m, text(said))
		for _, r := range out {
			words = append(words, r.GetWords()...)
		}
		length := time.Duration(len(sound(out))) * time.Second / 22050
		var last time.Duration
		var texts []string
		for _, w := range words {
			start, end := w.GetStart().AsDuration(), w.GetEnd().AsDuration()
			if start < last || end <= start || end > length {
				t.Errorf("%q: %q is from %v to %v; the word before it ends at %v, the sound at %v", said, w.GetText(), start, end, last, length)
			}
			last = end
			texts = append(texts, w.GetText())
		}
		if got := strings.Join(texts, " "); got != read {
			t.Errorf("%q: the words are %q", said, got)
		}
	}
}

// TestConcurrent checks that concurrent requests do not affect each other.
func TestConcurrent(t *testing.T) {
	m := loadVoice(t, starter(), map[string]any{"noise_scale": 0, "noise_w": 0})
	texts := []string{"The first one speaks. It continues.", "Another one is here, too!", "And a third?"}
	alone := make([][]int16, len(texts))
	for i, s := range texts {
		alone[i] = sound(mustSay(t, m, text(s)))
	}
	var group sync.WaitGroup
	for range 3 {
		for i, s := range texts {
			group.Go(func() {
				out, err := say(t.Context(), m, text(s))
				if err != nil || !slices.Equal(sound(out), alone[i]) {
					t.Errorf("%q gives other samples (%v)", s, err)
				}
			})
		}
	}
	group.Wait()
}

// TestMarkup checks that marks are not read, and what the sentences are.
func TestMarkup(t *testing.T) {
	m := loadVoice(t, starter(), map[string]any{"noise_scale": 0, "noise_w": 0})
	for said, want := range map[string][]string{
		"J. R. R. Tolkien met Mr. and Mrs. Lee on St. Mary Street.": {"J R R Tolkien met Mr. and Mrs. Lee on St. Mary Street."},
		"I like:\n- **apples**\n- `pears`":                          {"I like:\napples.", "pears."},
		"Apples\nPears\nPlums":                                      {"Apples.", "Pears.", "Plums"},
		"# Tea\nSee [this](https://a.b/c) <b>now</b>.":              {"Tea.", "See this now."},
		"[[ həlˈoʊ ]] *you*":                                        {"[[ həlˈoʊ ]] you"},
	} {
		if got := sentencesOf(mustSay(t, m, text(said))); !slices.Equal(got, want) {
			t.Errorf("%q: the sentences are %q, want %q", said, got, want)
		}
	}
	for marked, plain := range map[string]string{
		"**Hello** <i>world</i>.": "Hello world.", "Ｈｅｌｌｏ ①.": "Hello 1.", "<speak>Hello</speak>": "Hello",
	} {
		if !slices.Equal(sound(mustSay(t, m, text(marked))), sound(mustSay(t, m, text(plain)))) {
			t.Errorf("%q does not sound like %q", marked, plain)
		}
	}
}

// TestDecomposedText checks that a text sounds the same in each Unicode form: macOS
// and iOS write accents as characters of their own.
func TestDecomposedText(t *testing.T) {
	still := map[string]any{"noise_scale": 0, "noise_w": 0}
	for voice, said := range map[string]string{"vi": "Đường phố Hà Nội rất đẹp.", "en-us": "We met in a café with Zoë.", "fr": "Ça a été une fête."} {
		m := loadVoice(t, changedVoice(t, espeakVoice(voice)), still)
		composed, decomposed := mustSay(t, m, text(norm.NFC.String(said))), mustSay(t, m, text(norm.NFD.String(said)))
		if !slices.Equal(sound(composed), sound(decomposed)) {
			t.Errorf("%s: %d samples in NFC, %d in NFD", voice, len(sound(composed)), len(sound(decomposed)))
		}
		if got := sentencesOf(decomposed); !slices.Equal(got, sentencesOf(composed)) {
			t.Errorf("%s: the sentences in NFD are %q", voice, got)
		}
	}
}

func TestTextVoice(t *testing.T) {
	m := loadVoice(t, changedVoice(t, func(c map[string]any) { c["phoneme_type"] = "text"; delete(c, "espeak") }), nil)
	out := mustSay(t, m, text("hello world"))
	if got := sentencesOf(out); !slices.Equal(got, []string{"hello world"}) || len(sound(out)) == 0 {
		t.Errorf("the sentences are %q", got)
	}
}
