package whispercpp

import "testing"

func TestMostLikely(t *testing.T) {
	// The last one is not a language of the model.
	all := []float32{0.1, 0.3, 0.1, 0.5}
	if id, p := mostLikely(all[:3]); id != 1 || p < 0.59 || p > 0.61 {
		t.Errorf("%d with %g, want 1 with 0.6", id, p)
	}
	if id, p := mostLikely(make([]float32, 3)); id != 0 || p != 0 {
		t.Errorf("%d with %g, want 0 with 0", id, p)
	}
}
