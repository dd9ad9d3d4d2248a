package gemini_test

import (
	"bytes"
	"context"
	"encoding/binary"
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
