package ctc

import "math"

// negligible is a log-ratio beyond which the smaller of two terms changes
// nothing in a float64.
const negligible = -40

// logAdd returns log(exp(a) + exp(b)) to 1e-10. Lattices are made of little else,
// and what math.Exp and math.Log1p take for it is five times as long.
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	// The order of the test makes two impossible terms an impossible sum.
	if !(b-a > negligible) {
		return a
	}
	x := (a - b) * knots
	i := int(x)
	u := x - float64(i)
	c := &softplus[i]
	return a + c[0] + u*(c[1]+u*(c[2]+u*c[3]))
}

// knots is how many pieces the curve of logAdd has for each nat.
const knots = 64

// softplus is log(1 + exp(-d)), from d = 0 to where it is negligible, as pieces of
// cubic polynomials: on each, the one with the curve's values and slopes at both
// ends (Hermite), which is off by less than h^4/384 of its fourth derivative.
var softplus = newSoftplus()

func newSoftplus() (table [-negligible*knots + 1][4]float64) {
	curve := func(i int) (value, slope float64) {
		d := float64(i) / knots
		return math.Log1p(math.Exp(-d)), -1 / (1 + math.Exp(d)) / knots
	}
	v0, s0 := curve(0)
	for i := range table {
		v1, s1 := curve(i + 1)
		table[i] = [4]float64{v0, s0, 3*(v1-v0) - 2*s0 - s1, 2*(v0-v1) + s0 + s1}
		v0, s0 = v1, s1
	}
	return table
}
