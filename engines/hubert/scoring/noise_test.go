package scoring

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkNoise scores a long text against a minute of noise. All symbols are
// about as likely, so no term of the sums is negligible.
func BenchmarkNoise(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, 3000*len(alphabet))
	for i := range logits {
		logits[i] = float32(r.NormFloat64() * 0.3)
	}
	text := words(strings.Repeat("THE QUICK BROWN FOX JUMPS OVER A LAZY DOG AND RUNS ", 30))
	for b.Loop() {
		if _, err := Score(b.Context(), model(), options(), text, Outputs{Logits: logits, Symbols: len(alphabet)}); err != nil {
			b.Fatal(err)
		}
	}
}
