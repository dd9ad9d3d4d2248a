package gemini_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// synthesize runs a Synthesize to its end.
func synthesize(ctx context.Context, m cloudModel, req *gatewayv1.SynthesizeRequest) (pcm []byte, rates []int32, err error) {
	err = m.Synthesize(ctx, req, func(r *gatewayv1.SynthesizeResponse) error {
		pcm = append(pcm, r.GetAudio()...)
		rates = append(rates, r.GetSampleRateHertz())
		return nil
	})
	return pcm, rates, err
}

func text(s string) *gatewayv1.SynthesizeRequest {
	return &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: s}}
}

func TestSynthesizePCMAndWAV(t *testing.T) {
	server, m := open(t)
	tone := geminitest.Tone(24000, 1.5)
	padded := geminitest.WAV(22050, tone)
	padded = append(padded[:12:12], append([]byte("LIST\x03\x00\x00\x00abc\x00"), padded[12:]...)...)
	endless := geminitest.WAV(24000, tone)
	binary.LittleEndian.PutUint32(endless[40:], 0xffffffff)
	for name, c := range map[string]struct {
		answer geminitest.Answer
		rate   int32
	}{
		"PCM":                    {geminitest.Sound("audio/L16;codec=pcm;rate=24000", tone), 24000},
		"PCM of another rate":    {geminitest.Sound("audio/L16; rate=16000", tone), 16000},
		"PCM without a rate":     {geminitest.Sound("audio/pcm", tone), 24000},
		"PCM in pieces":          {geminitest.Sound("audio/L16;rate=24000", tone[:1001], tone[1001:]), 24000},
		"PCM, incomplete sample": {geminitest.Sound("audio/L16;rate=24000", append(tone[:len(tone):len(tone)], 1)), 24000},
		"WAV":                    {geminitest.Sound("audio/wav", geminitest.WAV(24000, tone)), 24000},
		"WAV called PCM":         {geminitest.Sound("audio/L16;rate=16000", geminitest.WAV(24000, tone)), 24000},
		"WAV with another chunk": {geminitest.Sound("audio/x-wav", padded), 22050},
		"WAV of unknown length":  {geminitest.Sound("audio/wav", endless), 24000},
	} {
		server.Answer(c.answer)
		pcm, rates, err := synthesize(t.Context(), m, text("Hello there."))
		if err != nil || !bytes.Equal(pcm, tone) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(pcm), len(tone), err)
			continue
		}
		if rates[0] != c.rate || len(rates) != 2 || rates[1] != 0 {
			t.Errorf("%s: rates %v", name, rates)
		}
	}
	r := server.Last()
	if r.Model != "gemini-3.8-flash-tts" || r.Voice() != "Kore" || !r.Speech() || r.Stream || r.LastText() != "Read aloud, word for word: Hello there." {
		t.Errorf("asked %s, voice %q, %q", r.Model, r.Voice(), r.LastText())
	}
}

func TestSynthesizeRefusesOtherAnswers(t *testing.T) {
	server, m := open(t)
	tone := geminitest.Tone(24000, 0.1)
	stereo := geminitest.WAV(24000, tone)
	stereo[22] = 2
	for name, c := range map[string]struct {
		answer geminitest.Answer
		reason errs.Reason
	}{
		"text":            {geminitest.Text("I cannot speak."), errs.EngineCrashed},
		"MP3":             {geminitest.Sound("audio/mpeg", tone), errs.Internal},
		"no type":         {geminitest.Sound("", tone), errs.Internal},
		"a rate of 1 Hz":  {geminitest.Sound("audio/L16;rate=1", tone), errs.Internal},
		"an invalid rate": {geminitest.Sound("audio/L16;rate=fast", tone), errs.Internal},
		"stereo":          {geminitest.Sound("audio/wav", stereo), errs.Internal},
		"a WAV's header":  {geminitest.Sound("audio/wav", stereo[:36]), errs.Internal},
		"a short header":  {geminitest.Sound("audio/wav", append(stereo[:16:16], 4, 0, 0, 0, 1, 0, 1, 0)), errs.Internal},
		"data first":      {geminitest.Sound("audio/wav", append(stereo[:12:12], []byte("data\x02\x00\x00\x00ab")...)), errs.Internal},
		"cut off":         {geminitest.TextEnding("MAX_TOKENS", ""), errs.InvalidRequest},
		"refused":         {geminitest.Blocked("SAFETY"), errs.InvalidRequest},
		"no sound at all": {geminitest.Empty("STOP"), errs.EngineCrashed},
	} {
		server.Answer(c.answer)
		if pcm, _, err := synthesize(t.Context(), m, text("Hello.")); errs.ReasonOf(err) != c.reason || len(pcm) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(pcm), err)
		}
	}
}

func TestSynthesizeOptions(t *testing.T) {
	server, m := open(t)
	req := text("Hello.")
	req.Speaker, req.Speed, req.Volume, req.NoiseScale = "Puck", proto.Float32(0.5), proto.Float32(0.5), proto.Float32(1)
	pcm, _, err := synthesize(t.Context(), m, req)
	if err != nil || server.Last().Voice() != "Puck" || !strings.Contains(server.Last().LastText(), "slowly") {
		t.Errorf("voice %q, %q, %v", server.Last().Voice(), server.Last().LastText(), err)
	}
	if peak := peakOf(pcm); peak < 3900 || peak > 4000 {
		t.Errorf("peak %d at volume 0.5, want half of 8000", peak)
	}
	req.Speaker, req.Speed, req.Volume = "3", proto.Float32(2), proto.Float32(2)
	if pcm, _, err = synthesize(t.Context(), m, req); err != nil || server.Last().Voice() != "Kore" || !strings.Contains(server.Last().LastText(), "fast") {
		t.Errorf("voice %q, %q, %v", server.Last().Voice(), server.Last().LastText(), err)
	}
	if peak := peakOf(pcm); peak < 15900 || peak > 16000 {
		t.Errorf("peak %d at volume 2, want twice 8000", peak)
	}
	before := len(server.Requests())
	for _, req := range []*gatewayv1.SynthesizeRequest{
		{Input: &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: "həˈləʊ"}}, {}, text(" \n"), text("…!?"),
	} {
		if _, _, err := synthesize(t.Context(), m, req); errs.ReasonOf(err) != errs.InvalidRequest {
			t.Errorf("%v: %v", req, err)
		}
	}
	if len(server.Requests()) != before {
		t.Error("an invalid request was sent to the API")
	}
}

func peakOf(pcm []byte) int {
	peak := 0
	for i := 0; i+1 < len(pcm); i += 2 {
		peak = max(peak, int(int16(binary.LittleEndian.Uint16(pcm[i:]))))
	}
	return peak
}

func TestSynthesizeLongTextsInParts(t *testing.T) {
	server, m := open(t)
	sentence := "Trời hôm nay đẹp quá, mình đi chơi nhé. "
	pcm, rates, err := synthesize(t.Context(), m, text(strings.Repeat(sentence, 100)))
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, r := range server.Requests() {
		part := strings.TrimPrefix(r.LastText(), "Read aloud, word for word: ")
		if n := len([]rune(part)); n > 1500 || !strings.HasSuffix(part, "nhé.") {
			t.Errorf("a part of %d characters ends with %q", n, part[max(0, len(part)-20):])
		}
		said += part + " "
	}
	if said != strings.Repeat(sentence, 100) || len(pcm) != len(server.Requests())*48000 {
		t.Errorf("%d parts, %d bytes", len(server.Requests()), len(pcm))
	}
	for i, rate := range rates {
		if (rate != 0) != (i == 0) {
			t.Errorf("rates %v: want one in the first message only", rates)
		}
	}
	server.Handle(func(r geminitest.Request) geminitest.Answer { // for a text of one long word
		return geminitest.Sound("audio/L16;rate=24000", make([]byte, 2))
	})
	if pcm, _, err = synthesize(t.Context(), m, text(strings.Repeat("a", 4000))); err != nil || len(pcm) != 6 {
		t.Errorf("%d bytes, %v", len(pcm), err)
	}
	// An error in the second part ends the speech.
	server.Script(geminitest.Sound("audio/L16;rate=24000", make([]byte, 2)), geminitest.Unavailable())
	if pcm, _, err = synthesize(t.Context(), m, text(strings.Repeat("a", 4000))); errs.ReasonOf(err) != errs.EngineCrashed || len(pcm) != 2 {
		t.Errorf("%d bytes, %v", len(pcm), err)
	}
}

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
