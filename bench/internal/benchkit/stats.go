// Package benchkit is shared by the benchmarks: processes under test, medians
// with their spread, and ratios of two sides measured in one run.
package benchkit

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Series has the results of the rounds of one side. The caller knows the unit.
type Series []float64

// Add appends a round's result.
func (s *Series) Add(v float64) { *s = append(*s, v) }

// Median returns the middle value; NaN for an empty series.
func (s Series) Median() float64 { return s.Quantile(0.5) }

// Quantile returns the q-quantile (0 to 1) by linear interpolation; NaN for an
// empty series.
func (s Series) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// Spread returns the smallest and the largest value.
func (s Series) Spread() (low, high float64) {
	if len(s) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(s), slices.Max(s)
}

// Format prints the median and the spread, e.g. "34.1 (33.0–35.2)".
func (s Series) Format() string {
	low, high := s.Spread()
	return fmt.Sprintf("%.4g (%.4g–%.4g)", s.Median(), low, high)
}

// Ratios divides the results of two sides round by round, because changes of the
// machine's speed affect both sides of a round.
func Ratios(ours, theirs Series) Series {
	out := make(Series, min(len(ours), len(theirs)))
	for i := range out {
		out[i] = ours[i] / theirs[i]
	}
	return out
}

// Rest is the pause between two sides. Threads that spin while they wait for
// work, such as those of ONNX Runtime, stop within that time.
const Rest = 300 * time.Millisecond

// Interleave calls one for each side, round after round. The sides alternate in
// going first. Round 0 is a warm-up, whose results must be ignored.
func Interleave(rounds, sides int, one func(round, side int) error) error {
	for round := range rounds + 1 {
		for k := range sides {
			time.Sleep(Rest)
			if err := one(round, (k+round)%sides); err != nil {
				return err
			}
		}
	}
	return nil
}

// Micros converts to microseconds.
func Micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
