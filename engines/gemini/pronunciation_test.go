package gemini_test

import (
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestPronunciation(t *testing.T) {
	server, m := open(t)
	server.Answer(geminitest.Text(`{"fluency": 250, "words": [
		{"word": "well", "said": true, "score": 70, "start_seconds": 0.1, "end_seconds": 0.2},
		{"word": "HELLO,", "said": true, "score": 140, "start_seconds": 0.2, "end_seconds": 0.4},
		{"word": "um", "said": false, "score": 0, "start_seconds": 0, "end_seconds": 0},
		{"word": "world", "said": true, "score": 40, "start_seconds": 0.3, "end_seconds": 77},
		{"word": "again", "said": false, "score": 90, "start_seconds": 0, "end_seconds": 0}]}`))
	resp, err := m.Pronunciation(t.Context(), &gatewayv1.PronunciationRequest{
		Audio: geminitest.WAV(16000, geminitest.Tone(16000, 1)), ReferenceText: "Hello, beautiful world! Again.",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, w := range resp.GetWords() {
		got += w.GetText() + ":" + strings.TrimPrefix(w.GetErrorType().String(), "PRONUNCIATION_ERROR_TYPE_") + " "
	}
	if got != "well:INSERTION Hello:NONE beautiful:OMISSION world:MISPRONUNCIATION Again:OMISSION " {
		t.Errorf("words %s", got)
	}
	if !resp.GetEstimated() || resp.GetAccuracyScore() != 70 || resp.GetCompletenessScore() != 50 || resp.GetFluencyScore() != 100 || resp.GetOverallScore() != 72 {
		t.Errorf("%v", resp)
	}
	if world := resp.GetWords()[3]; world.GetStart().AsDuration().Milliseconds() != 400 || world.GetEnd().AsDuration().Milliseconds() != 1000 || resp.GetWords()[2].GetStart() != nil {
		t.Errorf("times of %v", resp.GetWords())
	}
	if q := server.Last().LastText(); !strings.Contains(q, "beautiful") || server.Last().Audio() == nil {
		t.Errorf("asked %q", q)
	}
	server.Answer(geminitest.Text(`{"fluency": 90, "words": []}`))
	if resp, err = m.Pronunciation(t.Context(), &gatewayv1.PronunciationRequest{
		Audio: geminitest.WAV(16000, geminitest.Tone(16000, 1)), ReferenceText: "Hello world",
	}); err != nil || resp.GetOverallScore() != 0 || resp.GetFluencyScore() != 0 || len(resp.GetWords()) != 2 {
		t.Errorf("silence: %v, %v", resp, err)
	}
}

func TestPronunciationRefuses(t *testing.T) {
	server, m := open(t)
	tone := geminitest.WAV(16000, geminitest.Tone(16000, 1))
	for name, c := range map[string]struct {
		audio  []byte
		text   string
		reason errs.Reason
	}{
		"no words":  {tone, "?!", errs.InvalidRequest},
		"too short": {geminitest.WAV(16000, make([]byte, 200)), "hello", errs.InvalidRequest},
		"garbage":   {[]byte("garbage and more of it"), "hello", errs.AudioUnreadable},
	} {
		_, err := m.Pronunciation(t.Context(), &gatewayv1.PronunciationRequest{Audio: c.audio, ReferenceText: c.text})
		if errs.ReasonOf(err) != c.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(server.Requests()) != 0 {
		t.Error("an invalid request was sent to the API")
	}
	server.Answer(geminitest.Text("100 of 100"))
	if _, err := m.Pronunciation(t.Context(), &gatewayv1.PronunciationRequest{Audio: tone, ReferenceText: "hello"}); errs.ReasonOf(err) != errs.Internal {
		t.Errorf("another structure: %v", err)
	}
}
