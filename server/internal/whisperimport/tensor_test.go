package whisperimport

import (
	"math"
	"testing"
)

// Every half survives, and what lies between two halves becomes the nearer one, or
// the even one if both are equally near.
func TestHalves(t *testing.T) {
	t.Parallel()
	const infinite = 0x7c00
	for h := range uint16(infinite) {
		value, next := fromFloat16(h), fromFloat16(h+1)
		if h+1 == infinite {
			next = 65536 // where it would be
		}
		middle := value + (next-value)/2
		even := h + h&1
		for _, test := range []struct {
			value float32
			want  uint16
		}{
			{value, h},
			{middle, even},
			{math.Nextafter32(middle, value), h},
			{math.Nextafter32(middle, next), h + 1},
		} {
			if got := toFloat16(test.value); got != test.want {
				t.Fatalf("%g became %#x, want %#x", test.value, got, test.want)
			}
			if got := toFloat16(-test.value); got != test.want|0x8000 {
				t.Fatalf("%g became %#x, want %#x", -test.value, got, test.want|0x8000)
			}
		}
	}
	if got := toFloat16(float32(math.Inf(1))); got != infinite {
		t.Errorf("infinity became %#x", got)
	}
	if got := toFloat16(float32(math.NaN())); got&0x7c00 != 0x7c00 || got&0x3ff == 0 {
		t.Errorf("NaN became %#x", got)
	}
	if fromFloat16(0x3555) != 0.333251953125 || fromFloat16(1) != 1.0/(1<<24) {
		t.Error("known values differ")
	}
}
