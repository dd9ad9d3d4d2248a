package gemini_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// pieces is an AudioSource.
type pieces struct {
	clip []byte
	size int
}

func (p *pieces) Next() ([]byte, error) {
	if len(p.clip) == 0 {
		return nil, io.EOF
	}
	n := min(p.size, len(p.clip))
	piece := p.clip[:n]
	p.clip = p.clip[n:]
	return piece, nil
}

// transcribe runs a Transcribe to its end.
func transcribe(ctx context.Context, m cloudModel, cfg *gatewayv1.TranscriptionConfig, clip []byte) (segments []*gatewayv1.TranscriptSegment, final *gatewayv1.Transcript, err error) {
	err = m.Transcribe(ctx, cfg, &pieces{clip, 1000}, func(e *gatewayv1.TranscriptionEvent) error {
		if final != nil {
			return errors.New("an event after the final one")
		}
		if s := e.GetSegment(); s != nil {
			segments = append(segments, s)
		}
		final = e.GetFinal()
		return nil
	})
	return segments, final, err
}

func TestTranscribe(t *testing.T) {
	server, m := open(t)
	server.Answer(geminitest.Text(`{"language": "EN-us", "segments": [
		{"start_seconds": 0.1, "end_seconds": 0.6, "text": " Hello. "},
		{"start_seconds": 0.2, "end_seconds": 99, "text": "Good day."},
		{"start_seconds": -4, "end_seconds": 0, "text": " "},
		{"start_seconds": 50, "end_seconds": 40, "text": "Bye."}]}`))
	cfg := &gatewayv1.TranscriptionConfig{InitialPrompt: "LexiLingo", Translate: true}
	segments, final, err := transcribe(t.Context(), m, cfg, geminitest.WAV(24000, geminitest.Tone(24000, 2)))
	if err != nil || final.GetText() != "Hello. Good day. Bye." || final.GetLanguage() != "en" || len(segments) != 3 {
		t.Fatalf("%v, %v, %v", segments, final, err)
	}
	times := []int64{}
	for _, s := range final.GetSegments() {
		times = append(times, s.GetStart().AsDuration().Milliseconds(), s.GetEnd().AsDuration().Milliseconds())
	}
	if !reflect.DeepEqual(times, []int64{100, 600, 600, 2000, 2000, 2000}) || final.GetAudioDuration().AsDuration().Seconds() != 2 {
		t.Errorf("times %v of %v", times, final.GetAudioDuration())
	}
	sound := server.Last().Audio()
	if sound.MIMEType != "audio/wav" || string(sound.Data[:4]) != "RIFF" || len(sound.Data) != 44+2*32000 {
		t.Errorf("sent %d bytes of %s", len(sound.Data), sound.MIMEType)
	}
	if q := server.Last().LastText(); !strings.Contains(q, "LexiLingo") || !strings.Contains(q, "English") {
		t.Errorf("asked %q", q)
	}
}

func TestTranscribeBounds(t *testing.T) {
	server, m := open(t)
	raw := &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: 16000}
	_, final, err := transcribe(t.Context(), m, &gatewayv1.TranscriptionConfig{Format: raw, Language: "vi"}, make([]byte, 100))
	if err != nil || final == nil || final.GetText() != "" || final.GetLanguage() != "vi" {
		t.Errorf("3 ms of silence: %v, %v", final, err)
	}
	if _, _, err = transcribe(t.Context(), m, &gatewayv1.TranscriptionConfig{Format: raw}, make([]byte, 451*32000)); errs.ReasonOf(err) != errs.InvalidRequest {
		t.Errorf("451 s: %v", err)
	}
	if _, _, err = transcribe(t.Context(), m, &gatewayv1.TranscriptionConfig{}, []byte("no sound at all, no")); errs.ReasonOf(err) != errs.AudioUnreadable {
		t.Errorf("garbage: %v", err)
	}
	if n := len(server.Requests()) + server.Refused(); n != 0 {
		t.Errorf("%d requests to the API, want none", n)
	}
	// The longest clip is within the API's limit.
	if _, final, err = transcribe(t.Context(), m, &gatewayv1.TranscriptionConfig{Format: raw}, make([]byte, 450*32000)); err != nil || final.GetText() != geminitest.Transcript {
		t.Errorf("450 s: %v, %v", final, err)
	}
	server.Answer(geminitest.Text(`["no", "transcript"]`))
	if _, _, err = transcribe(t.Context(), m, &gatewayv1.TranscriptionConfig{Format: raw}, make([]byte, 32000)); errs.ReasonOf(err) != errs.Internal {
		t.Errorf("another structure: %v", err)
	}
	server.Answer(geminitest.Text(`{"language": "not a language code", "segments": []}`))
	if _, final, err = transcribe(t.Context(), m, &gatewayv1.TranscriptionConfig{Format: raw}, make([]byte, 32000)); err != nil || final.GetText() != "" || final.GetLanguage() != "" {
		t.Errorf("silence: %v, %v", final, err)
	}
}
