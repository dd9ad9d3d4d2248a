package piper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	"github.com/lexilingo/modelgateway/engines/piper/phonemiser"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// pieceBytes is the most audio of one message, about 1.5 s.
const pieceBytes = 64 << 10

// model is a loaded voice.
type model struct {
	name       string
	parameters parameters
	voice      *voice
	translate  phonemes.Phonemiser
	work       *engines.WorkCounter

	mu      sync.Mutex
	unknown map[string]bool // symbols without an id that were logged
}

var (
	_ engines.Model       = (*model)(nil)
	_ engines.Synthesizer = (*model)(nil)
)

// Description implements engines.Model.
func (m *model) Description() string {
	c := m.voice.config
	text := fmt.Sprintf("%s: %d Hz", m.name, c.SampleRate)
	if c.PhonemeType == voicefile.Espeak {
		text += ", language " + c.EspeakVoice
	}
	if c.Speakers > 1 {
		text += fmt.Sprintf(", %d speakers", c.Speakers)
	}
	return text
}

// Close implements engines.Model.
func (m *model) Close() error {
	m.voice.session.Close()
	return nil
}

// Synthesize implements engines.Synthesizer. A sentence's sound is emitted before
// the next one is computed.
func (m *model) Synthesize(ctx context.Context, req *gatewayv1.SynthesizeRequest, emit func(*gatewayv1.SynthesizeResponse) error) error {
	s, err := m.parameters.optionsOf(m.voice.config, req)
	if err != nil {
		return err
	}
	sentences, err := m.sentences(ctx, req)
	if err != nil {
		return err
	}
	m.work.Add(1)
	out := &stream{emit: emit, rate: m.voice.config.SampleRate}
	for sentence := range phonemes.Limit(sentences, m.parameters.limit(s)) {
		if err := m.say(ctx, sentence, s, out); err != nil {
			return err
		}
	}
	return out.end()
}

// sentences reads what to say.
func (m *model) sentences(ctx context.Context, req *gatewayv1.SynthesizeRequest) ([]phonemes.Sentence, error) {
	switch req.GetInput().(type) {
	case *gatewayv1.SynthesizeRequest_Phonemes:
		return phonemes.FromPhonemes(req.GetPhonemes()), nil
	case *gatewayv1.SynthesizeRequest_Text:
		sentences, err := phonemes.FromText(ctx, m.translate, m.voice.config, req.GetText())
		switch {
		case err == nil || ctx.Err() != nil:
			return sentences, err
		case errors.Is(err, phonemiser.ErrUnreadable):
			return nil, errs.New(errs.InvalidRequest,
				"the phonemiser, espeak-ng, cannot read this text in the voice's language %q; write it otherwise, without unusual marks or words",
				m.voice.config.EspeakVoice).WithCause(err)
		default:
			return nil, errs.New(errs.Internal, "espeak-ng does not read the text").WithCause(err)
		}
	default:
		return nil, errs.New(errs.InvalidRequest, "there is nothing to say: set text or phonemes")
	}
}

// say computes and emits one sentence. One of which the voice knows no phoneme
// makes no sound.
func (m *model) say(ctx context.Context, sentence phonemes.Sentence, s options, out *stream) error {
	ids := phonemes.ToIDs(m.voice.config, sentence.Symbols)
	m.logUnknown(ids.Unknown)
	if ids.Spoken == 0 {
		return ctx.Err()
	}
	spoken, err := m.voice.speak(ctx, ids.Values, s)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errs.New(errs.Internal, "the voice %s cannot say a sentence of %d phonemes", m.name, ids.Spoken).WithCause(err)
	}
	m.work.Add(1)
	words, err := m.words(ctx, sentence, ids, spoken.durations)
	if err != nil {
		return err
	}
	sound := pcm(spoken.samples, s.volume)
	if !sentence.Continues {
		sound = append(sound, silence(out.rate, s.silence)...)
	}
	return out.sentence(strings.TrimSpace(sentence.Text), words, sound)
}

// logUnknown says once what the voice has no sound for.
func (m *model) logUnknown(symbols []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, symbol := range symbols {
		if m.unknown[symbol] || len(m.unknown) >= maxUnknown {
			continue
		}
		if m.unknown == nil {
			m.unknown = map[string]bool{}
		}
		m.unknown[symbol] = true
		slog.Warn("the voice has no sound for a phoneme; it is left out", "voice", m.name, "phoneme", fmt.Sprintf("%+q", symbol))
	}
}

// maxUnknown bounds what is logged, and remembered as logged.
const maxUnknown = 256

// stream emits sound in messages of a bounded size.
type stream struct {
	emit func(*gatewayv1.SynthesizeResponse) error
	rate int
	sent int // samples
	told bool
}

// sentence emits a sentence's sound. Words' times are from its beginning.
func (s *stream) sentence(text string, words []word, sound []byte) error {
	first := &gatewayv1.SynthesizeResponse{Sentence: text}
	for _, w := range words {
		first.Words = append(first.Words, &gatewayv1.SpokenWord{
			Text: w.text, Start: s.at(w.from), End: s.at(w.to),
		})
	}
	message := first
	for begin := true; begin || len(sound) > 0; begin = false {
		n := min(len(sound), pieceBytes)
		message.Audio, sound = sound[:n], sound[n:]
		if err := s.send(message); err != nil {
			return err
		}
		message = &gatewayv1.SynthesizeResponse{}
	}
	return nil
}

// at returns the time of a sample behind those that were sent.
func (s *stream) at(samples int) *durationpb.Duration {
	return durationpb.New(time.Duration(int64(s.sent+samples) * int64(time.Second) / int64(s.rate)))
}

func (s *stream) send(message *gatewayv1.SynthesizeResponse) error {
	if !s.told {
		s.told = true
		message.SampleRateHertz = int32(s.rate) //nolint:gosec // bounded by the voice's check
	}
	s.sent += len(message.Audio) / 2
	return s.emit(message)
}

// end tells the rate of a stream without sound.
func (s *stream) end() error {
	if s.told {
		return nil
	}
	return s.send(&gatewayv1.SynthesizeResponse{})
}
