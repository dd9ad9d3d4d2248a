package ctc

import (
	"errors"
	"fmt"
	"math"
)

// TooShortError reports that there are fewer frames than a label sequence needs: one
// for each label, and one for the blank between equal neighbours.
type TooShortError struct {
	// Frames is the number of frames, Needed the number that the labels need.
	Frames, Needed int
}

// Error implements error.
func (e *TooShortError) Error() string {
	return fmt.Sprintf("there are %d frames, and the labels need %d", e.Frames, e.Needed)
}

// ErrImpossible is returned for a label sequence with probability 0.
var ErrImpossible = errors.New("the labels are impossible: one of them is masked")

// Needed returns the number of frames that the labels need at least.
func Needed(labels []int) int {
	n := len(labels)
	for i := 1; i < len(labels); i++ {
		if labels[i] == labels[i-1] {
			n++
		}
	}
	return n
}

// check returns an error for labels that cannot be aligned to p.
func check(p *LogProbs, labels []int, blank int) error {
	for i, k := range labels {
		if k < 0 || k >= p.Symbols() || k == blank {
			return fmt.Errorf("label %d is %d, which is the blank or not a symbol", i, k)
		}
	}
	if needed := Needed(labels); p.Frames() < needed {
		return &TooShortError{Frames: p.Frames(), Needed: needed}
	}
	return nil
}

// states returns the number of states of the trellis: the labels with a blank
// before, between and after them.
// State 2i is the blank before label i, state 2i+1 the label itself.
func states(labels []int) int { return 2*len(labels) + 1 }

// skips reports whether a path may go from label state s-2 to label state s without
// a blank between them.
func skips(labels []int, s int) bool {
	return s%2 == 1 && s > 1 && labels[s/2] != labels[s/2-1]
}

// symbolOf returns the symbol of a state.
func symbolOf(labels []int, s, blank int) int {
	if s%2 == 0 {
		return blank
	}
	return labels[s/2]
}

// ForcedAlign returns the most likely path with the given labels: a symbol, which
// may be the blank, for each frame. It computes the same as
// torchaudio.functional.forced_align for one utterance. Too few frames are a
// *TooShortError, masked labels ErrImpossible.
func ForcedAlign(p *LogProbs, labels []int, blank int) ([]int, error) {
	if err := check(p, labels, blank); err != nil {
		return nil, err
	}
	frames, n := p.Frames(), states(labels)
	path := make([]int, frames)
	if frames == 0 {
		return path, nil
	}
	// from[t*n+s] is the number of states before s from which the best path comes
	// to s at t.
	from := make([]uint8, frames*n)
	score, next := make([]float64, n), make([]float64, n)
	for s := range score {
		score[s] = math.Inf(-1)
		if s < 2 {
			score[s] = p.At(0, symbolOf(labels, s, blank))
		}
	}
	for t := 1; t < frames; t++ {
		for s := range next {
			step := bestStep(score, labels, s)
			from[t*n+s] = uint8(step) //nolint:gosec // 0 to 2
			next[s] = score[s-step] + p.At(t, symbolOf(labels, s, blank))
		}
		score, next = next, score
	}
	s := n - 1
	if n > 1 && score[n-2] >= score[n-1] {
		s = n - 2
	}
	if math.IsInf(score[s], -1) {
		return nil, ErrImpossible
	}
	for t := frames - 1; t >= 0; t-- {
		path[t] = symbolOf(labels, s, blank)
		s -= int(from[t*n+s])
	}
	return path, nil
}

// bestStep returns the number of states before s from which the best path comes, the
// smallest of equals.
func bestStep(score []float64, labels []int, s int) int {
	step := 0
	if s > 0 && score[s-1] > score[s] {
		step = 1
	}
	if skips(labels, s) && score[s-2] > score[s-step] {
		step = 2
	}
	return step
}

// Span is a run of frames with the same symbol in a path.
type Span struct {
	// Symbol is never the blank.
	Symbol int
	// Start is the first frame, End the one after the last.
	Start, End int
	// Score is the mean log-probability of the symbol over its frames.
	Score float64
}

// Len returns the number of frames.
func (s Span) Len() int { return s.End - s.Start }

// MergeTokens returns the spans of a path without the blanks, as
// torchaudio.functional.merge_tokens does. A path of ForcedAlign has one span for
// each label.
func MergeTokens(p *LogProbs, path []int, blank int) []Span {
	var spans []Span
	for start := 0; start < len(path); {
		end := start + 1
		for end < len(path) && path[end] == path[start] {
			end++
		}
		if k := path[start]; k != blank {
			var sum float64
			for t := start; t < end; t++ {
				sum += p.At(t, k)
			}
			spans = append(spans, Span{Symbol: k, Start: start, End: end, Score: sum / float64(end-start)})
		}
		start = end
	}
	return spans
}

// Greedy decodes without labels: it returns the spans of the most likely symbol of
// each frame, without blanks.
func Greedy(p *LogProbs, blank int) []Span {
	path := make([]int, p.Frames())
	for t := range path {
		path[t] = p.best(t)
	}
	return MergeTokens(p, path, blank)
}
