package ctc

import "math"

// negligible is the log-ratio from which the smaller of two terms does not change
// their sum in a float64.
const negligible = -40

// logAdd returns log(exp(a) + exp(b)) with an error below 1e-10. Lattices consist
// mostly of this sum; math.Exp and math.Log1p would take five times as long.
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	// If both terms are -Inf, the difference is NaN and the sum is -Inf.
	if !(b-a > negligible) {
		return a
	}
	x := (a - b) * knots
	i := int(x)
	u := x - float64(i)
	c := &softplus[i]
	return a + c[0] + u*(c[1]+u*(c[2]+u*c[3]))
}

// knots is the number of pieces per nat of the curve in logAdd.
const knots = 64

// softplus is log(1 + exp(-d)), from d = 0 to where it is negligible, as piecewise
// cubic polynomials with the values and slopes of the curve at both ends (Hermite).
// The error is less than h^4/384 of the fourth derivative.
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
