package whispercpp

import "testing"

func TestLikeliest(t *testing.T) {
	// The last is no language of the model, and not weighed.
	all := []float32{0.1, 0.3, 0.1, 0.5}
	if id, p := likeliest(all[:3]); id != 1 || p < 0.59 || p > 0.61 {
		t.Errorf("%d with %g, want 1 with 0.6", id, p)
	}
	if id, p := likeliest(make([]float32, 3)); id != 0 || p != 0 {
		t.Errorf("%d with %g out of nothing", id, p)
	}
}
