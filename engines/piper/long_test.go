package piper

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestLongText checks that a text without full stops is split, and spoken to its
// end.
func TestLongText(t *testing.T) {
	m := loadVoice(t, starter(), map[string]any{"sentence_silence": 0, "length_scale": 0.2})
	out := mustSay(t, m, text(strings.Repeat("word ", 5000)))
	parts := sentencesOf(out)
	if joined := strings.Fields(strings.Join(parts, " ")); len(joined) != 5000 {
		t.Errorf("the sentences have %d of 5000 words", len(joined))
	}
	for _, part := range parts {
		if n := len(strings.Fields(part)); n > 100 {
			t.Errorf("a part has %d words", n)
		}
	}
	words := 0
	for _, r := range out {
		words += len(r.GetWords())
	}
	if words != 5000 {
		t.Errorf("%d of 5000 words have times", words)
	}
}

// TestLimit checks that no run has more phonemes than allowed, and that none is
// lost.
func TestLimit(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	for _, said := range []string{
		strings.Repeat("This, which is long, has more and more; ", 50),
		strings.Repeat("a", 3000),
		strings.Repeat("Short. ", 30),
	} {
		sentences, err := phonemes.FromText(t.Context(), m.translate, m.voice.config, said)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, s := range sentences {
			want = append(want, s.Symbols...)
		}
		for s := range phonemes.Limit(sentences, 100) {
			got = append(got, s.Symbols...)
			if len(s.Symbols) > 100 || len(s.Symbols) == 0 {
				t.Errorf("%.20q…: a part has %d symbols", said, len(s.Symbols))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%.20q…: the parts differ from the whole", said)
		}
	}
}

// TestLongPhonemes checks that the longest phonemes that the API accepts, without
// punctuation, are not split to their end before the first sound is emitted.
func TestLongPhonemes(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	received := 0
	err := m.Synthesize(ctx, &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: strings.Repeat("aə ", 33_333)},
	}, func(r *gatewayv1.SynthesizeResponse) error {
		if received += len(r.GetAudio()); received > 10*22050*2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v after %d bytes", err, received)
	}
}
