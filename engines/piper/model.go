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
	"github.com/lexilingo/modelgateway/engines/aloud"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	"github.com/lexilingo/modelgateway/engines/piper/phonemiser"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// pieceBytes is the maximum size of the audio in one message, about 1.5 s.
const pieceBytes = 64 << 10

// model is a loaded voice.
type model struct {
	name       string
	parameters parameters
	voice      *voice
	translate  phonemes.Phonemiser
	phonemiser *phonemiser.Phonemiser // ended by Close
	work       *engines.WorkCounter

	mu      sync.Mutex
	unknown map[string]bool // logged symbols without an id
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
	m.phonemiser.Close()
	return nil
}

// Synthesize implements engines.Synthesizer. It emits the sound of a sentence before
// it computes the next one.
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
	return out.finish()
}

// sentences returns the sentences of a request.
func (m *model) sentences(ctx context.Context, req *gatewayv1.SynthesizeRequest) ([]phonemes.Sentence, error) {
	switch req.GetInput().(type) {
	case *gatewayv1.SynthesizeRequest_Phonemes:
		return phonemes.FromPhonemes(req.GetPhonemes()), nil
	case *gatewayv1.SynthesizeRequest_Text:
		sentences, err := phonemes.FromText(ctx, m.translate, m.voice.config, aloud.Text(req.GetText(), m.voice.config.EspeakVoice))
		switch {
		case err == nil || ctx.Err() != nil:
			return sentences, err
		case errors.Is(err, phonemiser.ErrUnreadable):
			return nil, errs.New(errs.InvalidRequest,
				"espeak-ng cannot convert this text to phonemes in the voice's language %q: remove unusual marks or words",
				m.voice.config.EspeakVoice).WithCause(err)
		default:
			return nil, errs.New(errs.Internal, "espeak-ng failed to convert the text to phonemes: try again").WithCause(err)
		}
	default:
		return nil, errs.New(errs.InvalidRequest, "the request has nothing to speak: set text or phonemes")
	}
}

// say computes and emits one sentence. It emits nothing for a sentence of which the
// voice has no phoneme.
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
		return errs.New(errs.Internal, "the voice %s failed to speak a sentence of %d phonemes", m.name, ids.Spoken).WithCause(err)
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
	return out.sentence(sentenceText(sentence), words, sound)
}

// sentenceText returns the text of a sentence without the no-break spaces of package
// aloud.
func sentenceText(s phonemes.Sentence) string {
	return strings.TrimSpace(strings.ReplaceAll(s.Text, "\u00a0", " "))
}

// logUnknown logs symbols without an id, each once.
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
		slog.Warn("skipping a phoneme that the voice does not have", "voice", m.name, "phoneme", fmt.Sprintf("%+q", symbol))
	}
}

// maxUnknown is the maximum number of symbols that logUnknown logs.
const maxUnknown = 256

// stream emits sound in messages of at most pieceBytes.
type stream struct {
	emit    func(*gatewayv1.SynthesizeResponse) error
	rate    int
	sent    int  // samples
	started bool // the first message, which has the rate, was sent
}

// sentence emits the sound of a sentence. The times of words count from the
// beginning of the sentence.
func (s *stream) sentence(text string, words []word, sound []byte) error {
	first := &gatewayv1.SynthesizeResponse{Sentence: text}
	for _, w := range words {
		first.Words = append(first.Words, &gatewayv1.SpokenWord{
			Text: w.text, Start: s.timeOf(w.from), End: s.timeOf(w.to),
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

// timeOf returns the time of a sample, counted from those that were sent.
func (s *stream) timeOf(samples int) *durationpb.Duration {
	return durationpb.New(time.Duration(int64(s.sent+samples) * int64(time.Second) / int64(s.rate)))
}

func (s *stream) send(message *gatewayv1.SynthesizeResponse) error {
	if !s.started {
		s.started = true
		message.SampleRateHertz = int32(s.rate) //nolint:gosec // checked by voicefile
	}
	s.sent += len(message.Audio) / 2
	return s.emit(message)
}

// finish sends the rate if nothing was sent yet.
func (s *stream) finish() error {
	if s.started {
		return nil
	}
	return s.send(&gatewayv1.SynthesizeResponse{})
}
