package gemini

import (
	"context"
	"encoding/binary"
	"math"
	"regexp"
	"strings"
	"unicode"

	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// maxSpoken is the most characters that are spoken in one request; longer
	// texts are cut at sentences, and the first part is heard the sooner.
	maxSpoken = 1500

	// spokenBytes is about the most that a part takes: two minutes at 24 kHz.
	spokenBytes = 120 * defaultRate * bytesPerSample

	// pieceBytes is the size of the pieces that speech is handed over in.
	pieceBytes = 64 << 10

	// Speeds beyond these are asked for in words: the API has no number for it.
	slowSpeed, fastSpeed = 0.9, 1.1
)

// voiceName tells a name of a voice of Gemini from the speakers of local voices,
// which are numbers and codes.
var voiceName = regexp.MustCompile(`^[A-Za-z]{3,32}$`)

// Synthesize implements engines.Synthesizer. Phonemes are refused; volume is
// applied to the samples, speed asked for in words; noise_scale, noise_w and
// sentence_silence mean nothing to the cloud's voices.
func (m *model) Synthesize(ctx context.Context, req *gatewayv1.SynthesizeRequest, emit func(*gatewayv1.SynthesizeResponse) error) error {
	if req.GetPhonemes() != "" {
		return errs.New(errs.InvalidRequest, "Gemini speaks text, not phonemes; send text, or ask a local voice")
	}
	parts := cut(req.GetText(), maxSpoken)
	if len(parts) == 0 {
		return errs.New(errs.InvalidRequest, "there is nothing to say in the text")
	}
	giveBack, err := m.takeSound(ctx, spokenBytes)
	if err != nil {
		return err
	}
	defer giveBack()
	first := 0
	for _, part := range parts {
		pcm, rate, err := m.speak(ctx, req, part)
		if err != nil {
			return err
		}
		if first != 0 && rate != first {
			return errs.New(errs.Internal, "Gemini changed the rate of its speech from %d to %d in the middle", first, rate)
		}
		tell := int32(0)
		if first == 0 {
			first, tell = rate, int32(rate) //nolint:gosec // checked
		}
		if err := handOver(loud(pcm, req), tell, emit); err != nil {
			return err
		}
	}
	return nil
}

// speak asks for the sound of one part.
func (m *model) speak(ctx context.Context, req *gatewayv1.SynthesizeRequest, text string) ([]byte, int, error) {
	voice := m.parameters.Voice
	if voiceName.MatchString(req.GetSpeaker()) {
		voice = req.GetSpeaker()
	}
	config := &genai.GenerateContentConfig{
		ResponseModalities: []string{"AUDIO"},
		SafetySettings:     m.parameters.safetySettings(),
		SpeechConfig: &genai.SpeechConfig{VoiceConfig: &genai.VoiceConfig{
			PrebuiltVoiceConfig: &genai.PrebuiltVoiceConfig{VoiceName: voice},
		}},
	}
	contents := []*genai.Content{genai.NewContentFromText(manner(req)+text, genai.RoleUser)}
	a, err := m.client.generate(ctx, m.parameters.SpeechModel, contents, config, maxSoundAnswer)
	if err != nil {
		return nil, 0, err
	}
	if err := a.whole(); err != nil {
		return nil, 0, err
	}
	return spoken(a)
}

// manner is what the voice is told before the text. Without it, a text that is a
// question or a command may be answered in place of read.
func manner(req *gatewayv1.SynthesizeRequest) string {
	speed := float32(1)
	if req.Speed != nil {
		speed = req.GetSpeed()
	}
	switch {
	case speed < slowSpeed:
		return "Read aloud slowly and clearly, word for word: "
	case speed > fastSpeed:
		return "Read aloud at a fast pace, word for word: "
	default:
		return "Read aloud, word for word: "
	}
}

// loud applies the volume, in place.
func loud(pcm []byte, req *gatewayv1.SynthesizeRequest) []byte {
	if req.Volume == nil || req.GetVolume() == 1 {
		return pcm
	}
	for i := 0; i+1 < len(pcm); i += bytesPerSample {
		sample := float64(int16(binary.LittleEndian.Uint16(pcm[i:]))) * float64(req.GetVolume()) //nolint:gosec // two's complement
		sample = max(math.MinInt16, min(math.MaxInt16, math.Round(sample)))
		binary.LittleEndian.PutUint16(pcm[i:], uint16(int16(sample))) //nolint:gosec // two's complement
	}
	return pcm
}

// handOver emits samples in pieces. rate is told with the first, unless it is 0.
func handOver(pcm []byte, rate int32, emit func(*gatewayv1.SynthesizeResponse) error) error {
	for len(pcm) > 0 {
		n := min(len(pcm), pieceBytes)
		if err := emit(&gatewayv1.SynthesizeResponse{Audio: pcm[:n], SampleRateHertz: rate}); err != nil {
			return err
		}
		pcm, rate = pcm[n:], 0
	}
	return nil
}

// cut splits a text into parts of at most so many characters, after a sentence
// where there is one, else after a word, else anywhere. Space around parts is
// dropped, and so are parts without a letter or digit.
func cut(text string, most int) []string {
	var parts []string
	for rest := []rune(strings.TrimSpace(text)); len(rest) > 0; {
		n := len(rest)
		if n > most {
			n = bestCut(rest[:most])
		}
		part := strings.TrimSpace(string(rest[:n]))
		if strings.ContainsFunc(part, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			parts = append(parts, part)
		}
		rest = rest[n:]
	}
	return parts
}

func bestCut(text []rune) int {
	word := 0
	for i := len(text) - 1; i > 0; i-- {
		if text[i] == '\n' || strings.ContainsRune("。！？", text[i-1]) {
			return i
		}
		if !unicode.IsSpace(text[i]) {
			continue
		}
		if strings.ContainsRune(".!?…:;", text[i-1]) {
			return i
		}
		if word == 0 {
			word = i
		}
	}
	if word > 0 {
		return word
	}
	return len(text)
}
