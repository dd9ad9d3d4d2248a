package ctc

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestLogAdd(t *testing.T) {
	none := math.Inf(-1)
	for _, c := range [][3]float64{{none, none, none}, {none, -3, -3}, {-3, none, -3}, {0, 0, math.Ln2}, {-1e6, -1e6, math.Ln2 - 1e6}, {0, -1e6, 0}} {
		if got := logAdd(c[0], c[1]); got != c[2] && !(math.Abs(got-c[2]) < 1e-9) {
			t.Errorf("logAdd(%v, %v) is %v, want %v", c[0], c[1], got, c[2])
		}
	}
	// The whole curve, and somewhat beyond its end.
	for i := range 100_000 {
		d := -float64(i) / 2400
		got, want := logAdd(d, 0), math.Log1p(math.Exp(d))
		if !(math.Abs(got-want) < 1e-10) || got != logAdd(0, d) || got < 0 {
			t.Fatalf("logAdd(%v, 0) is %v, want %v", d, got, want)
		}
	}
}

// countdown is a context that ends after a number of calls to Err.
type countdown struct {
	context.Context
	left int
}

func (f *countdown) Err() error {
	if f.left--; f.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestCancelWithinALabel checks that a cancel takes effect within one label, which
// has as many sums as there are symbols.
func TestCancelWithinALabel(t *testing.T) {
	p, _ := random(rand.New(rand.NewPCG(5, 6)), 20, 400, 0.1)
	l, err := NewLattice(t.Context(), p, []int{1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := AlignmentFree(&countdown{Context: t.Context(), left: 100}, l); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled within a label: %v", err)
	}
}
