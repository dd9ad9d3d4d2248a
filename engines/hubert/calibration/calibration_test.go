package calibration

import (
	"math"
	"testing"
)

func TestFormula(t *testing.T) {
	f := &Formula{Bias: -1, Weights: map[string]float64{Mean: 2, Worst: 3}}
	for _, c := range []struct {
		features Features
		want     float64
	}{
		{Features{}, 100 / (1 + math.E)},
		{Features{Mean: 0.5}, 50},
		{Features{Mean: 0.5, Extra: 9}, 50}, // it has no weight
		{Features{Mean: 1e9, Worst: 1e9}, 100},
		{Features{Mean: -1e9}, 0},
	} {
		if got := f.Score(c.features); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v gives %v, want %v", c.features, got, c.want)
		}
	}
	low, high := f.Score(Features{Mean: 0.5, Worst: 0.1}), f.Score(Features{Mean: 0.5, Worst: 0.2})
	if low >= high {
		t.Errorf("a better unit lowers the score from %v to %v", low, high)
	}
}

func TestNoFile(t *testing.T) {
	c, err := Read("", false)
	if err != nil || c != (Calibration{}) {
		t.Errorf("got %+v, %v", c, err)
	}
}
