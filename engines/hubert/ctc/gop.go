package ctc

import (
	"context"
	"math"
)

// Deletion stands for "nothing" where a symbol is expected.
const Deletion = -1

// Goodness is the goodness of pronunciation of one label.
type Goodness struct {
	// Value is a log-probability or a log-ratio, at most 0; higher is better.
	Value float64
	// Heard is the likeliest symbol in the label's place, maybe the label itself,
	// or Deletion.
	Heard int
}

// SelfAligned returns GOP-SA of the labels that spans were aligned to: the
// logarithm of the symbol's mean posterior over its frames, where the
// segmentation is the CTC model's own (Cao, Fan, Svendsen, Salvi: A Framework
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

// MaxLogit returns the GOP of the labels that spans were aligned to by the
// largest logit of the symbol over its frames (Parikh, Tejedor-Garcia,
// Cucchiarini, Strik: Evaluating Logit-Based GOP Scores for Mispronunciation
// Detection, arXiv 2506.12067). A bare logit has no scale of its own: Value is
// how far it is below the largest one of any symbol that is not masked in p.
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

// symbolOr makes a blank that is heard in a label's place a deletion.
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

// AlignmentFree returns GOP-AF-SD of each label i (Cao et al., as above): the
// log-probability of the labels, less that of the labels with the one at i
// substituted by any symbol (itself included) or deleted. It needs no
// segmentation: every path counts. Value is so the logarithm of the probability
// that i was said, given that the others were. The error is ctx's when it ends.
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

// variants sums over the substitutions of one label at a time. Its columns are
// used again for each.
type variants struct {
	l *Lattice
	// enter[t] is the probability of the paths that are at t-1 where they can go
	// on to label i, leave[t] of all that go on from t+1 when i has ended at t.
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
	// Rounding may leave a value above 0.
	return Goodness{Value: min(0, l.total-sum), Heard: heard}, nil
}

// prepare fills the columns for label i.
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

// band returns the frames that matter: before first, entering cannot lead to
// anything that counts beside the labels themselves; from last on, leaving
// cannot. Emissions are at most 1, which makes both bounds sure.
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
