package whisper

import (
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models"
)

// The starter, with the parameters that it ships with, leaves out what it invents for a
// person's speech, and keeps what it understands of the speech that it was trained for.
func TestInventedTextIsLeftOut(t *testing.T) {
	starters, err := models.Starters()
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, starter(), starters[models.Whisper].Parameters)
	synthetic := speechSamples(t)[:16000*5]
	for _, interim := range []bool{false, true} {
		cfg := &gatewayv1.TranscriptionConfig{Format: rawFormat(), InterimResults: interim, Language: "en"}
		if got := final(t, m, cfg, pcm(personSamples(t))); got.GetText() != "" || len(got.GetSegments()) > 0 || !got.GetUncertain() {
			t.Errorf("a person (interim results %v): uncertain %v, %q", interim, got.GetUncertain(), got.GetText())
		}
		if got := final(t, m, cfg, pcm(synthetic)); got.GetText() == "" || got.GetUncertain() {
			t.Errorf("synthetic speech (interim results %v): uncertain %v, %q", interim, got.GetUncertain(), got.GetText())
		}
		if got := final(t, m, cfg, pcm(make([]float32, 16000))); got.GetText() != "" || got.GetUncertain() {
			t.Errorf("silence (interim results %v): uncertain %v, %q", interim, got.GetUncertain(), got.GetText())
		}
	}
	if got := final(t, load(t, starter(), nil), &gatewayv1.TranscriptionConfig{Format: rawFormat(), Language: "en"}, pcm(personSamples(t))); got.GetText() == "" {
		t.Error("without the parameter, the starter hears nothing either: the test does not show what it leaves out")
	}
}
