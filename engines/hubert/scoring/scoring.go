// Package scoring judges how a text was read, from a CTC model's outputs: which
// of its words were said, which were left out or put in, and how close each
// sound was to the expected one. It is plain Go; times are in frames.
// docs/pronunciation.md has the formulas and what they can and cannot tell.
package scoring

import (
	"cmp"
	"context"
	"slices"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The error types, without the generated prefix.
const (
	NotJudged        = gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_UNSPECIFIED
	Good             = gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_NONE
	Mispronunciation = gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_MISPRONUNCIATION
	Omission         = gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_OMISSION
	Insertion        = gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_INSERTION
)

// mispronounced is the score below which a word counts as mispronounced.
const mispronounced = 60

// Measure is a way to compute the goodness of pronunciation.
type Measure int

// The measures; see package ctc.
const (
	AlignmentFree Measure = iota
	SelfAligned
	MaxLogit
)

// Model says what the outputs are.
type Model struct {
	// Blank is the CTC blank; Boundary stands between words, or is negative.
	Blank, Boundary int
	// Masked outputs stand for nothing.
	Masked []int
	// Phonemes tells phonemes from letters: they take other rates.
	Phonemes bool
	// FrameSeconds is the time from one frame to the next.
	FrameSeconds float64
}

// Options say how goodness becomes a score.
type Options struct {
	Measure Measure
	// Scale is the goodness, in nats, that lowers a score to 1/e of it; above 0.
	Scale float64
}

// Word is a word of the reference text.
type Word struct {
	// Text is how it is written.
	Text string
	// Readings are the symbols of each way to say it, boundaries between its parts
	// included. A word without any is not judged.
	Readings [][]int
	// Pause tells that a reader may pause after it.
	Pause bool
}

// Unit is a symbol of a word.
type Unit struct {
	Symbol int
	// Score is 0 to 100.
	Score float64
	// Start is the first frame, End the one after the last.
	Start, End int
	// Heard is the symbol that was likelier, Symbol itself if none was, or
	// ctc.Deletion.
	Heard int
}

// WordScore is a word of the reference text, or one that was put in.
type WordScore struct {
	// Text is empty for an insertion, whose Units tell what was heard.
	Text  string
	Score float64
	// Start and End are as a unit's; both 0 where nothing was said.
	Start, End int
	Error      gatewayv1.PronunciationErrorType
	Units      []Unit
}

// Result is how a text was read. Scores are 0 to 100.
type Result struct {
	Overall, Accuracy, Fluency, Completeness float64
	// Words are in order of time.
	Words []WordScore
}

// Score judges a reading. logits are a row of symbols numbers for each frame. Its
// error is that the logits are unusable, or ctx's.
func Score(ctx context.Context, m Model, opts Options, words []Word, logits []float32, symbols int) (*Result, error) {
	p, err := ctc.LogSoftmax(logits, symbols, m.Masked)
	if err != nil {
		return nil, err
	}
	heard := plausible(ctc.Greedy(p, m.Blank), float64(p.Frames())*m.FrameSeconds)
	pieces, err := match(ctx, words, heard, m.Boundary)
	if err != nil {
		return nil, err
	}
	r := &reading{model: m, options: opts, words: words, heard: heard, logits: logits, p: p}
	items := r.items(pieces)
	for _, p := range r.parts(items) {
		if err := r.judgePart(ctx, p); err != nil {
			return nil, err
		}
	}
	return r.result(items), nil
}

// fastestSpeech is more symbols a second than anybody says.
const fastestSpeech = 25

// plausible drops the least certain symbols where more are heard than can be said
// in a time: a model that hears them in noise must not cost the memory and time
// that the comparison of so many takes.
func plausible(heard []ctc.Span, seconds float64) []ctc.Span {
	most := max(fastestSpeech, int(fastestSpeech*seconds))
	if len(heard) <= most {
		return heard
	}
	kept := slices.Clone(heard)
	slices.SortStableFunc(kept, func(a, b ctc.Span) int { return cmp.Compare(b.Score, a.Score) })
	kept = kept[:most]
	slices.SortFunc(kept, func(a, b ctc.Span) int { return cmp.Compare(a.Start, b.Start) })
	return kept
}
