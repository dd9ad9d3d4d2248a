package hubert

import (
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
	"github.com/lexilingo/modelgateway/engines/hubert/scoring"
	"github.com/lexilingo/modelgateway/engines/hubert/vocab"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// answer converts results to the API's messages.
type answer struct {
	vocabulary *vocab.Vocabulary
	// frame is the length of a frame, length that of the audio, in seconds.
	frame, length float64
}

func (a answer) response(r *scoring.Result) *gatewayv1.PronunciationResponse {
	resp := &gatewayv1.PronunciationResponse{
		OverallScore:      float32(r.Overall),
		AccuracyScore:     float32(r.Accuracy),
		FluencyScore:      float32(r.Fluency),
		CompletenessScore: float32(r.Completeness),
		Unit:              a.vocabulary.Unit,
		AudioDuration:     durationpb.New(time.Duration(a.length * float64(time.Second))),
	}
	for _, w := range r.Words {
		resp.Words = append(resp.Words, a.word(w))
	}
	return resp
}

func (a answer) word(w scoring.WordScore) *gatewayv1.PronouncedWord {
	out := &gatewayv1.PronouncedWord{Text: w.Text, Score: float32(w.Score), ErrorType: w.Error}
	if w.Error == scoring.Insertion {
		out.Text = a.spelled(w.Units)
	}
	if w.End > 0 {
		out.Start, out.End = a.time(w.Start), a.time(w.End)
	}
	for _, u := range w.Units {
		unit := &gatewayv1.PronouncedUnit{
			Symbol: a.vocabulary.Symbol(u.Symbol), Score: float32(u.Score), Start: a.time(u.Start), End: a.time(u.End),
		}
		if u.Heard != u.Symbol && u.Heard != ctc.Deletion {
			unit.Heard = a.vocabulary.Symbol(u.Heard)
		}
		out.Units = append(out.Units, unit)
	}
	return out
}

// spelled returns the text of an inserted word from the symbols that were heard.
func (a answer) spelled(units []scoring.Unit) string {
	symbols := make([]string, len(units))
	separator := ""
	for i, u := range units {
		symbols[i] = a.vocabulary.Symbol(u.Symbol)
		if utf8.RuneCountInString(symbols[i]) > 1 {
			separator = " "
		}
	}
	text := strings.Join(symbols, separator)
	if a.vocabulary.Unit == gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_LETTER {
		text = strings.ToLower(text)
	}
	return text
}

// time converts a frame to a time within the audio.
func (a answer) time(frame int) *durationpb.Duration {
	seconds := min(float64(frame)*a.frame, a.length)
	return durationpb.New(time.Duration(seconds * float64(time.Second)))
}
