package hubert

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/hubert/calibration"
	"github.com/lexilingo/modelgateway/engines/hubert/scoring"
	"github.com/lexilingo/modelgateway/engines/hubert/settings"
	"github.com/lexilingo/modelgateway/engines/hubert/textnorm"
	"github.com/lexilingo/modelgateway/engines/hubert/vocab"
	"github.com/lexilingo/modelgateway/engines/onnx"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// maxTextRunes is the limit of the API, which a worker checks too.
	maxTextRunes = 2000
	// maxReadings is the largest number of readings of a word, which are multiplied by
	// the pronunciations in a dictionary.
	maxReadings = textnorm.MaxReadings
	// maxTextReadings is the number of readings of a text above which its words have
	// fewer, but at least leastReadings.
	maxTextReadings = 2000
	leastReadings   = 4
	// maxNamed is the largest number of words in an error.
	maxNamed = 5
)

// model is a loaded model.
type model struct {
	parameters  settings.Parameters
	file        string
	session     *onnx.Session
	network     *network
	vocabulary  *vocab.Vocabulary
	calibration calibration.Calibration
	work        *engines.WorkCounter
}

var (
	_ engines.Model               = (*model)(nil)
	_ engines.PronunciationScorer = (*model)(nil)
)

// Description implements engines.Model.
func (m *model) Description() string {
	unit := "letters"
	if m.phonemes() {
		unit = "phonemes"
	}
	frame := time.Duration(float64(m.network.stride) * float64(time.Second) / audio.SampleRate)
	return fmt.Sprintf("CTC model %s: %d symbols (%s), one frame per %v", m.file, m.vocabulary.Outputs(), unit, frame)
}

// Close implements engines.Model.
func (m *model) Close() error {
	m.session.Close()
	return nil
}

func (m *model) phonemes() bool {
	return m.vocabulary.Unit == gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_PHONEME
}

// Pronunciation implements engines.PronunciationScorer.
func (m *model) Pronunciation(ctx context.Context, req *gatewayv1.PronunciationRequest) (*gatewayv1.PronunciationResponse, error) {
	words, err := m.words(req.GetReferenceText())
	if err != nil {
		return nil, err
	}
	limits := audio.Limits{MaxDuration: time.Duration(m.parameters.MaxSeconds * float64(time.Second))}
	samples, err := audio.ReadAll(ctx, req.GetFormat(), req.GetAudio(), limits)
	if err != nil {
		return nil, err
	}
	if len(samples) == 0 {
		return nil, errs.New(errs.AudioUnreadable, "the audio has no samples; send a recording")
	}
	outputs, err := m.network.outputsOf(ctx, samples, m.watch)
	if err != nil {
		return nil, m.runError(ctx, err)
	}
	defer m.watch(runTimeout(len(samples)))()
	frameSeconds := float64(m.network.stride) / audio.SampleRate
	result, err := scoring.Score(ctx, scoring.Model{
		Blank:        m.vocabulary.Blank,
		Boundary:     m.vocabulary.Boundary,
		Masked:       m.vocabulary.Masked,
		Phonemes:     m.phonemes(),
		FrameSeconds: frameSeconds,
	}, scoring.Options{
		Measure:     measures()[m.parameters.Measure],
		Scale:       m.parameters.Scale,
		Calibration: m.calibration,
	}, words, outputs)
	if err != nil {
		return nil, m.runError(ctx, err)
	}
	a := answer{vocabulary: m.vocabulary, frame: frameSeconds, length: float64(len(samples)) / audio.SampleRate}
	return a.response(result), nil
}

// watch counts work while a step of a request runs, up to limit, and at its end.
func (m *model) watch(limit time.Duration) (done func()) {
	stop := onnx.Heartbeat(m.work, limit)
	return func() {
		stop()
		m.work.Add(1)
	}
}

// runError converts an error of the network or of its outputs to one with a reason.
func (m *model) runError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errs.New(errs.Internal, "the model %s failed: %v", m.file, err).WithCause(err)
}

// words converts the reference text to words with readings in the vocabulary.
func (m *model) words(text string) ([]scoring.Word, error) {
	if n := utf8.RuneCountInString(text); n > maxTextRunes {
		return nil, errs.New(errs.InvalidRequest, "the reference text has %d characters; the limit is %d", n, maxTextRunes)
	}
	var words []scoring.Word
	var unknown []string
	for _, w := range textnorm.Words(text) {
		word := scoring.Word{Text: w.Text, Readings: m.readings(w), Pause: w.Pause}
		if len(word.Readings) == 0 {
			unknown = append(unknown, w.Text)
		}
		words = append(words, word)
	}
	limitReadings(words)
	switch {
	case len(words) == 0:
		return nil, errs.New(errs.InvalidRequest, "the reference text has no words that can be read aloud")
	case len(unknown) < len(words):
		return words, nil
	case m.phonemes():
		return nil, errs.New(errs.InvalidRequest, "the model's pronunciation dictionary has none of the words in the reference text: %s", named(unknown))
	default:
		return nil, errs.New(errs.InvalidRequest, "none of the words in the reference text can be written with the model's letters: %s", named(unknown))
	}
}

// limitReadings bounds the time of the comparison, which grows with the number of
// readings of the text.
func limitReadings(words []scoring.Word) {
	all := 0
	for _, w := range words {
		all += len(w.Readings)
	}
	if all <= maxTextReadings {
		return
	}
	most := max(leastReadings, maxReadings*maxTextReadings/all)
	for i, w := range words {
		words[i].Readings = w.Readings[:min(len(w.Readings), most)]
	}
}

// named lists the first words, for an error.
func named(words []string) string {
	if len(words) > maxNamed {
		return strings.Join(words[:maxNamed], ", ") + ", …"
	}
	return strings.Join(words, ", ")
}

// readings returns the readings of a word in symbols; none if the vocabulary cannot
// write any of them completely.
func (m *model) readings(w textnorm.Word) [][]int {
	var all [][][]int
	for _, parts := range w.Readings {
		ways := [][]int{nil}
		for i, part := range parts {
			ways = m.extended(ways, m.vocabulary.Spell(part), i > 0)
		}
		all = append(all, ways)
	}
	// The first pronunciation of each reading comes before the second of any.
	var out [][]int
	for i, more := 0, true; more; i++ {
		more = false
		for _, ways := range all {
			if i < len(ways) && len(out) < maxReadings {
				out, more = append(out, ways[i]), true
			}
		}
	}
	return out
}

// extended returns each of the ways followed by each of the spellings.
func (m *model) extended(ways, spellings [][]int, boundary bool) [][]int {
	var out [][]int
	for _, way := range ways {
		for _, s := range spellings {
			if len(out) == maxReadings {
				return out
			}
			longer := append([]int(nil), way...)
			if boundary && m.vocabulary.Boundary != vocab.None {
				longer = append(longer, m.vocabulary.Boundary)
			}
			out = append(out, append(longer, s...))
		}
	}
	return out
}
