package ctc

import (
	"context"
	"math"
)

// Lattice has the forward and backward variables of a label sequence, which give the
// probabilities of its variants without a complete computation. It needs 16 bytes
// for each frame and state; n labels have 2n+1 states.
type Lattice struct {
	p      *LogProbs
	labels []int
	blank  int
	// forward[s][t] is the probability of all paths to state s at t, backward[s][t]
	// of all paths from there to the end. Both include the emission of s at t.
	forward, backward [][]float64
	memory            []float64 // of forward and backward
	total             float64
}

// NewLattice computes the lattice of labels. Errors are those of ForcedAlign and of
// ctx.
func NewLattice(ctx context.Context, p *LogProbs, labels []int, blank int) (*Lattice, error) {
	l := &Lattice{p: p, blank: blank}
	if err := l.Reset(ctx, labels); err != nil {
		return nil, err
	}
	return l, nil
}

// Reset computes the lattice of other labels and reuses the memory of l. After an
// error l has no labels.
func (l *Lattice) Reset(ctx context.Context, labels []int) error {
	l.labels, l.total = nil, math.Inf(-1)
	if err := check(l.p, labels, l.blank); err != nil {
		return err
	}
	l.labels = labels
	n, frames := states(labels), l.p.Frames()
	if frames == 0 {
		l.total = 0
		l.forward, l.backward = make([][]float64, n), make([][]float64, n)
		return nil
	}
	if need := 2 * n * frames; cap(l.memory) < need {
		l.memory = make([]float64, need+need/4) // the next labels may be a few more
	}
	all := columns(l.memory[:2*n*frames], frames)
	l.forward, l.backward = all[:n], all[n:]
	before := nothing(frames)
	for s := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		var previous, skipped []float64
		if s > 0 {
			previous = l.forward[s-1]
		}
		if skips(labels, s) {
			skipped = l.forward[s-2]
		}
		l.column(l.forward[s], symbolOf(labels, s, l.blank), or(previous, before), or(skipped, before), s < 2)
	}
	for s := n - 1; s >= 0; s-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.backwardColumn(s)
	}
	for _, s := range []int{n - 1, n - 2} {
		if s >= 0 {
			l.total = logAdd(l.total, l.forward[s][frames-1])
		}
	}
	if math.IsInf(l.total, -1) {
		return ErrImpossible
	}
	return nil
}

// columns divides memory into consecutive columns of the same length.
func columns(all []float64, frames int) [][]float64 {
	out := make([][]float64, len(all)/max(1, frames))
	for s := range out {
		out[s] = all[s*frames:][:frames:frames]
	}
	return out
}

// nothing returns a column with probability 0 in every frame.
func nothing(frames int) []float64 {
	column := make([]float64, frames)
	for t := range column {
		column[t] = math.Inf(-1)
	}
	return column
}

func or(column, otherwise []float64) []float64 {
	if column == nil {
		return otherwise
	}
	return column
}

// column computes a state's forward variables into x. A path stays in the state, or
// comes from the previous state or the skipped one. Paths can start in initial
// states.
func (l *Lattice) column(x []float64, symbol int, previous, skipped []float64, initial bool) {
	x[0] = math.Inf(-1)
	if initial {
		x[0] = l.p.At(0, symbol)
	}
	for t := 1; t < len(x); t++ {
		x[t] = logAdd(logAdd(x[t-1], previous[t-1]), skipped[t-1]) + l.p.At(t, symbol)
	}
}

// backwardColumn computes the backward variables of a state from those of the states
// after it.
func (l *Lattice) backwardColumn(s int) {
	x, n := l.backward[s], len(l.backward)
	last, symbol := len(x)-1, symbolOf(l.labels, s, l.blank)
	x[last] = math.Inf(-1)
	if s >= n-2 {
		x[last] = l.p.At(last, symbol)
	}
	for t := last - 1; t >= 0; t-- {
		sum := x[t+1]
		if s+1 < n {
			sum = logAdd(sum, l.backward[s+1][t+1])
		}
		if s+2 < n && skips(l.labels, s+2) {
			sum = logAdd(sum, l.backward[s+2][t+1])
		}
		x[t] = sum + l.p.At(t, symbol)
	}
}

// Labels returns the label sequence.
func (l *Lattice) Labels() []int { return l.labels }

// LogProb returns the log-probability of the labels: of all paths with these labels.
func (l *Lattice) LogProb() float64 { return l.total }

// Replace returns the log-probability of the labels with labels[i:j] replaced by
// others, which may be empty. It returns -Inf if that is impossible, also because
// there are too few frames.
func (l *Lattice) Replace(i, j int, others []int) float64 {
	frames := l.p.Frames()
	if frames == 0 {
		if i == 0 && j == len(l.labels) && len(others) == 0 {
			return 0
		}
		return math.Inf(-1)
	}
	before := nothing(frames)
	end := pathEnd{label: before, blank: l.forward[2*i], symbol: l.blank, empty: i == 0}
	if i > 0 {
		end.label, end.symbol = l.forward[2*i-1], l.labels[i-1]
	}
	for _, k := range others {
		label, blank := make([]float64, frames), make([]float64, frames)
		l.column(label, k, end.blank, end.unless(k, before), end.empty)
		l.column(blank, l.blank, label, before, false)
		end = pathEnd{label: label, blank: blank, symbol: k}
	}
	return l.join(end, j, before)
}

// pathEnd has the forward variables at the end of a label sequence: in its last
// label, and in the blank after it.
type pathEnd struct {
	label, blank []float64
	// symbol is the last label; the blank if there are no labels.
	symbol int
	empty  bool // no labels yet
}

// unless returns the variables of the last label, from which a path may go on to
// symbol k, or otherwise if the last label is k, which needs a blank between them.
func (e pathEnd) unless(k int, otherwise []float64) []float64 {
	if e.symbol == k {
		return otherwise
	}
	return e.label
}

// join sums over the frames at which a path leaves end and enters label j, from
// which it continues to the last frame.
func (l *Lattice) join(end pathEnd, j int, before []float64) float64 {
	last := l.p.Frames() - 1
	if j == len(l.labels) {
		return logAdd(end.blank[last], end.label[last])
	}
	rest := l.backward[2*j+1]
	sum := math.Inf(-1)
	if end.empty {
		sum = rest[0]
	}
	label := end.unless(l.labels[j], before)
	for t := range last {
		sum = logAdd(sum, logAdd(end.blank[t], label[t])+rest[t+1])
	}
	return sum
}
