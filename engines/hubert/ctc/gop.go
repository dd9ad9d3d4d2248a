package ctc

import (
	"context"
	"math"
)

// Deletion stands for no symbol in the place of an expected one.
const Deletion = -1

// Goodness is the goodness of pronunciation of one label.
type Goodness struct {
	// Value is a log-probability or a log-ratio, at most 0; higher is better.
	Value float64
	// Heard is the most likely symbol in the place of the label, which may be the
	// label itself, or Deletion.
	Heard int
}

// SelfAligned returns the GOP-SA of labels with the given spans: the logarithm of
// the symbol's mean posterior over its frames, where the segmentation is that of the
// CTC model itself (Cao, Fan, Svendsen, Salvi: A Framework
// for Phoneme-Level Pronunciation Assessment Using CTC, Interspeech 2024).
func SelfAligned(p *LogProbs, spans []Span, blank int) []Goodness {
	out := make([]Goodness, len(spans))
	for i, s := range spans {
		sums := make([]float64, p.Symbols())
		for t := s.Start; t < s.End; t++ {
			for k, v := range p.row(t) {
				sums[k] += math.Exp(v)
			}
		}
		out[i] = Goodness{Value: math.Log(sums[s.Symbol] / float64(s.Len())), Heard: symbolOr(largest(sums), blank)}
	}
	return out
}

// MaxLogit returns the GOP of labels with the given spans by the largest logit of
// the symbol over its frames (Parikh, Tejedor-Garcia, Cucchiarini, Strik: Evaluating
// Logit-Based GOP Scores for Mispronunciation Detection, arXiv 2506.12067). A logit
// alone has no scale, so Value is the difference to the largest logit of any symbol
// that is not masked in p.
func MaxLogit(p *LogProbs, logits []float32, spans []Span, blank int) []Goodness {
	out := make([]Goodness, len(spans))
	for i, s := range spans {
		tops := make([]float64, p.Symbols())
		for k := range tops {
			tops[k] = math.Inf(-1)
			for t := s.Start; t < s.End && !math.IsInf(p.At(t, k), -1); t++ {
				tops[k] = max(tops[k], float64(logits[t*p.Symbols()+k]))
			}
		}
		best := largest(tops)
		out[i] = Goodness{Value: tops[s.Symbol] - tops[best], Heard: symbolOr(best, blank)}
	}
	return out
}

// symbolOr returns Deletion for the blank, and any other symbol itself.
func symbolOr(symbol, blank int) int {
	if symbol == blank {
		return Deletion
	}
	return symbol
}

func largest(values []float64) int {
	best := 0
	for k, v := range values {
		if v > values[best] {
			best = k
		}
	}
	return best
}

// AlignmentFree returns the GOP-AF-SD of each label i (Cao et al., see SelfAligned):
// the log-probability of the labels, minus that of the labels with label i replaced
// by any symbol (including itself) or deleted. It needs no segmentation: every path
// counts. So Value is the logarithm of the probability that i was said if the others
// were. If ctx ends, its error is returned.
func AlignmentFree(ctx context.Context, l *Lattice) ([]Goodness, error) {
	out := make([]Goodness, len(l.labels))
	w := newVariants(l)
	for i := range out {
		var err error
		if out[i], err = w.goodness(ctx, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// variants sums over the substitutions of one label. Its columns are reused for the
// next label.
type variants struct {
	l *Lattice
	// enter[t] is the probability of the paths that can enter label i at t, leave[t]
	// of those that continue at t+1 after label i has ended at t. In enterBlank and
	// leaveBlank they go through a blank.
	enter, enterBlank, leave, leaveBlank []float64
}

func newVariants(l *Lattice) *variants {
	column := func() []float64 { return make([]float64, l.p.Frames()) }
	return &variants{l: l, enter: column(), enterBlank: column(), leave: column(), leaveBlank: column()}
}

func (w *variants) goodness(ctx context.Context, i int) (Goodness, error) {
	l := w.l
	w.prepare(i)
	first, last := w.band()
	best, heard := l.Replace(i, i+1, nil), Deletion
	sum := best
	for k := range l.p.Symbols() {
		if k == l.blank {
			continue
		}
		if err := ctx.Err(); err != nil {
			return Goodness{}, err
		}
		v := w.substituted(i, k, first, last)
		sum = logAdd(sum, v)
		if v > best {
			best, heard = v, k
		}
	}
	// Rounding may give a value above 0.
	return Goodness{Value: min(0, l.total-sum), Heard: heard}, nil
}

// prepare computes the columns for label i.
func (w *variants) prepare(i int) {
	l := w.l
	end := l.p.Frames() - 1
	for t := range w.enter {
		w.enterBlank[t], w.enter[t] = math.Inf(-1), math.Inf(-1)
		if t > 0 {
			w.enterBlank[t] = l.forward[2*i][t-1]
			w.enter[t] = w.enterBlank[t]
			if i > 0 {
				w.enter[t] = logAdd(w.enter[t], l.forward[2*i-1][t-1])
			}
		} else if i == 0 {
			w.enterBlank[t], w.enter[t] = 0, 0
		}
		w.leaveBlank[t], w.leave[t] = math.Inf(-1), math.Inf(-1)
		if t < end {
			w.leaveBlank[t] = l.backward[2*i+2][t+1]
			w.leave[t] = w.leaveBlank[t]
			if i+1 < len(l.labels) {
				w.leave[t] = logAdd(w.leave[t], l.backward[2*i+3][t+1])
			}
		} else if i+1 == len(l.labels) {
			w.leaveBlank[t], w.leave[t] = 0, 0
		}
	}
}

// band returns the frames that can contribute: paths that enter before first or
// leave at last or later are negligible compared with the labels themselves.
// Emissions are at most 1, so both bounds are safe.
func (w *variants) band() (first, last int) {
	floor := w.l.total + negligible
	ahead := math.Inf(-1)
	for t := len(w.enter) - 1; t >= 0; t-- {
		ahead = max(ahead, w.leave[t])
		if w.enter[t]+ahead >= floor {
			first = t
		}
	}
	entered := math.Inf(-1)
	for t := range w.leave {
		entered = logAdd(entered, w.enter[t])
		if entered+w.leave[t] >= floor {
			last = t + 1
		}
	}
	return first, last
}

// substituted returns the probability of the labels with k in place of label i.
func (w *variants) substituted(i, k, first, last int) float64 {
	l := w.l
	enter, leave := w.enter, w.leave
	if i > 0 && l.labels[i-1] == k {
		enter = w.enterBlank
	}
	if i+1 < len(l.labels) && l.labels[i+1] == k {
		leave = w.leaveBlank
	}
	sum, in := math.Inf(-1), math.Inf(-1)
	for t := first; t < last; t++ {
		in = logAdd(in, enter[t]) + l.p.At(t, k)
		sum = logAdd(sum, in+leave[t])
	}
	return sum
}
