// Package scoring judges how a text was read aloud, from the outputs of a CTC
// model: which words were said, omitted or inserted, and how close each sound was
// to the expected one. It is pure Go. Times are in frames. docs/pronunciation.md
// has the formulas and their limits.
package scoring

import (
	"cmp"
	"context"
	"slices"

	"github.com/lexilingo/modelgateway/engines/hubert/calibration"
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

// Measure is a formula for the goodness of pronunciation.
type Measure int

// The measures; see package ctc.
const (
	AlignmentFree Measure = iota
	SelfAligned
	MaxLogit
)

// Model describes the outputs.
type Model struct {
	// Blank is the CTC blank. Boundary is the symbol between words; negative if there
	// is none.
	Blank, Boundary int
	// Masked are outputs without a meaning.
	Masked []int
	// Phonemes says that the symbols are phonemes, not letters; their rates differ.
	Phonemes bool
	// FrameSeconds is the time from one frame to the next.
	FrameSeconds float64
}

// Options configure how scores are computed.
type Options struct {
	Measure Measure
	// Scale is the goodness, in nats, that lowers a score to 1/e. It must be above 0.
	Scale float64
	// Calibration has the model's own formulas, if it has any.
	Calibration calibration.Calibration
}

// Outputs is what a model gives for a recording.
type Outputs struct {
	// Logits has a row of Symbols numbers for each frame.
	Logits  []float32
	Symbols int
	// Ratings has a row of Symbols+1 numbers for each frame, or is nil: how well each
	// symbol was said if it was the expected one, and how fluent the speech is.
	Ratings []float32
}

// Word is a word of the reference text.
type Word struct {
	// Text is the written word.
	Text string
	// Readings has the symbols of each way to say it, with the boundaries between
	// its parts. A word without readings is not judged.
	Readings [][]int
	// Pause says that a reader may pause after it.
	Pause bool
}

// Unit is a symbol of a word.
type Unit struct {
	Symbol int
	// Score is 0 to 100.
	Score float64
	// Start is the first frame, End the one after the last.
	Start, End int
	// Heard is the most likely symbol, which may be Symbol itself, or ctc.Deletion.
	Heard int
	// Features are what a calibration can use.
	Features calibration.Features
}

// WordScore is a word of the reference text, or an inserted one.
type WordScore struct {
	// Text is empty for an insertion; its Units are what was heard.
	Text  string
	Score float64
	// Start and End are as in Unit; both are 0 if nothing was said.
	Start, End int
	Error      gatewayv1.PronunciationErrorType
	Units      []Unit
	// Features are what a calibration can use; nil for an omission or insertion.
	Features calibration.Features
}

// Result has the scores of a text. They are 0 to 100.
type Result struct {
	Overall, Accuracy, Fluency, Completeness float64
	// Words are in order of time.
	Words []WordScore
	// Features are what a calibration can use for Accuracy, Fluency and Overall; nil
	// if nothing was said.
	Features map[string]calibration.Features
}

// Score judges how words were read. It returns an error if the outputs are unusable
// or ctx ends.
func Score(ctx context.Context, m Model, opts Options, words []Word, out Outputs) (*Result, error) {
	p, err := ctc.LogSoftmax(out.Logits, out.Symbols, m.Masked)
	if err != nil {
		return nil, err
	}
	if err := checkRatings(out); err != nil {
		return nil, err
	}
	heard := plausible(ctc.Greedy(p, m.Blank), float64(p.Frames())*m.FrameSeconds)
	pieces, err := match(ctx, words, heard, m.Boundary)
	if err != nil {
		return nil, err
	}
	a := &assessment{model: m, options: opts, words: words, heard: heard, outputs: out, p: p}
	items := a.items(pieces)
	for _, p := range a.parts(items) {
		if err := a.judgePart(ctx, p); err != nil {
			return nil, err
		}
	}
	return a.result(items), nil
}

// fastestSpeech is a number of symbols per second that speech does not reach.
const fastestSpeech = 25

// plausible drops the least likely symbols if more were heard than can be said in
// the time. It limits the memory and time of the comparison for models that hear
// symbols in noise.
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
