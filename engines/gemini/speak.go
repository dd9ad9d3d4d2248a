package gemini

import (
	"context"
	"encoding/binary"
	"math"
	"regexp"
	"strings"
	"unicode"

	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines/aloud"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// maxSpoken is the maximum number of characters in one request. Longer texts
	// are split after sentences, so that the first part is available sooner.
	maxSpoken = 1500

	// spokenBytes is about the maximum size of a part: two minutes at 24 kHz.
	spokenBytes = 120 * defaultRate * bytesPerSample

	// pieceBytes is the size of the pieces of speech that Synthesize emits.
	pieceBytes = 64 << 10

	// A speed below slowSpeed or above fastSpeed is requested in words, because
	// the API has no parameter for it.
	slowSpeed, fastSpeed = 0.9, 1.1
)

// voiceName matches names of Gemini's voices. Speakers of local voices are numbers
// and codes.
var voiceName = regexp.MustCompile(`^[A-Za-z]{3,32}$`)

// Synthesize implements engines.Synthesizer. It refuses phonemes. The volume is
// applied to the samples, and the speed is requested in words. noise_scale, noise_w
// and sentence_silence are ignored: Gemini's voices have no such settings.
func (m *model) Synthesize(ctx context.Context, req *gatewayv1.SynthesizeRequest, emit func(*gatewayv1.SynthesizeResponse) error) error {
	if req.GetPhonemes() != "" {
		return errs.New(errs.InvalidRequest, "Gemini cannot speak phonemes: send text, or use a local voice")
	}
	parts := splitText(aloud.Text(req.GetText(), ""), maxSpoken)
	if len(parts) == 0 {
		return errs.New(errs.InvalidRequest, "the text has nothing to speak: send text with letters or digits")
	}
	release, err := m.acquireSound(ctx, spokenBytes)
	if err != nil {
		return err
	}
	defer release()
	first := 0 // rate of the first part
	for _, part := range parts {
		pcm, rate, err := m.speak(ctx, req, part)
		if err != nil {
			return err
		}
		if first != 0 && rate != first {
			return errs.New(errs.Internal, "Gemini returned parts of the speech at different sample rates (%d and %d Hz): try again", first, rate)
		}
		announced := int32(0) // only the first message states the rate
		if first == 0 {
			first, announced = rate, int32(rate) //nolint:gosec // checked
		}
		if err := emitSamples(applyVolume(pcm, req), part, announced, emit); err != nil {
			return err
		}
	}
	return nil
}

// speak requests the sound of one part.
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
	contents := []*genai.Content{genai.NewContentFromText(speakingInstruction(req)+text, genai.RoleUser)}
	a, err := m.client.generate(ctx, m.parameters.SpeechModel, contents, config, maxSoundAnswer)
	if err != nil {
		return nil, 0, err
	}
	if err := a.complete(); err != nil {
		return nil, 0, err
	}
	return samplesOf(a)
}

// speakingInstruction returns the instruction before the text. Without it, the
// model may answer a question or a command instead of reading it aloud.
func speakingInstruction(req *gatewayv1.SynthesizeRequest) string {
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

// applyVolume multiplies the samples by the request's volume, in place.
func applyVolume(pcm []byte, req *gatewayv1.SynthesizeRequest) []byte {
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

// emitSamples emits samples in pieces. Only the first piece has the text and the rate.
func emitSamples(pcm []byte, text string, rate int32, emit func(*gatewayv1.SynthesizeResponse) error) error {
	for len(pcm) > 0 {
		n := min(len(pcm), pieceBytes)
		if err := emit(&gatewayv1.SynthesizeResponse{Audio: pcm[:n], Sentence: text, SampleRateHertz: rate}); err != nil {
			return err
		}
		pcm, text, rate = pcm[n:], "", 0
	}
	return nil
}

// splitText splits a text into parts of at most limit characters: after a sentence
// if possible, else after a word, else anywhere. It drops white space around parts,
// and parts without a letter or digit.
func splitText(text string, limit int) []string {
	var parts []string
	for rest := []rune(strings.TrimSpace(text)); len(rest) > 0; {
		n := len(rest)
		if n > limit {
			n = splitPoint(rest[:limit])
		}
		part := strings.TrimSpace(string(rest[:n]))
		if strings.ContainsFunc(part, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			parts = append(parts, part)
		}
		rest = rest[n:]
	}
	return parts
}

// splitPoint returns the index at which splitText splits text.
func splitPoint(text []rune) int {
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
