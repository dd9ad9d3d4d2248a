// Package ctc computes with the outputs of models that were trained with
// connectionist temporal classification (Graves et al., ICML 2006): greedy decoding,
// forced alignment, the probability of a label sequence, and goodness of
// pronunciation. It is pure Go and independent of audio and files.
//
// Probabilities are natural logarithms. They are added by log-sum-exp, so that the
// probability of an unlikely sequence does not become 0.
package ctc

import (
	"fmt"
	"math"
)

// LogProbs are the log-probabilities of each symbol in each frame: the
// log-softmax of a model's outputs.
type LogProbs struct {
	symbols int
	data    []float64 // frame by frame
}

// LogSoftmax returns the log-probabilities of logits, which have a row of the given
// number of symbols for each frame. Masked symbols, which a model was never trained
// to output, get probability 0. It returns an error if the logits are not complete
// rows or not finite, as those of a damaged model.
func LogSoftmax(logits []float32, symbols int, masked []int) (*LogProbs, error) {
	if symbols < 1 || len(logits)%symbols != 0 {
		return nil, fmt.Errorf("%d logits are not rows of %d symbols", len(logits), symbols)
	}
	out := make([]bool, symbols)
	for _, k := range masked {
		out[k] = true
	}
	p := &LogProbs{symbols: symbols, data: make([]float64, len(logits))}
	for t := range p.Frames() {
		if err := softmaxRow(logits[t*symbols:][:symbols], out, p.row(t)); err != nil {
			return nil, fmt.Errorf("frame %d: %w", t, err)
		}
	}
	return p, nil
}

func softmaxRow(logits []float32, out []bool, row []float64) error {
	top := math.Inf(-1)
	for k, x := range logits {
		v := float64(x)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("the logit of symbol %d is %v", k, x)
		}
		if !out[k] {
			top = max(top, v)
		}
	}
	var sum float64
	for k, x := range logits {
		if !out[k] {
			sum += math.Exp(float64(x) - top)
		}
	}
	total := top + math.Log(sum)
	for k, x := range logits {
		row[k] = float64(x) - total
		if out[k] {
			row[k] = math.Inf(-1)
		}
	}
	return nil
}

// Frames returns the number of frames.
func (p *LogProbs) Frames() int { return len(p.data) / p.symbols }

// Symbols returns the number of symbols, including the blank.
func (p *LogProbs) Symbols() int { return p.symbols }

// Slice returns the frames [from, to). They share the memory of p.
func (p *LogProbs) Slice(from, to int) *LogProbs {
	return &LogProbs{symbols: p.symbols, data: p.data[from*p.symbols : to*p.symbols]}
}

// At returns the log-probability of a symbol in a frame.
func (p *LogProbs) At(frame, symbol int) float64 { return p.data[frame*p.symbols+symbol] }

func (p *LogProbs) row(frame int) []float64 { return p.data[frame*p.symbols:][:p.symbols] }

// best returns the most likely symbol of a frame, the first of equals.
func (p *LogProbs) best(frame int) int {
	row := p.row(frame)
	best := 0
	for k, v := range row {
		if v > row[best] {
			best = k
		}
	}
	return best
}
