package audio

import "math"

// The low-pass filter of the resampler is flat up to passband times the lower of
// the two Nyquist frequencies, and attenuates by stopband from that Nyquist
// frequency on, so that nothing aliases. The values are those of SoX's "high
// quality" (passband 91.3 %), at 100 dB.
const (
	passband = 0.913
	stopband = 100.0 // dB
)

// exactPhases is the largest number of phases for which every filter is tabulated.
// It covers the common rates (44,100 Hz needs 160, 11,025 Hz 640). The filters of
// other rates are interpolated linearly between tablePhases, with an error below
// -110 dB.
const (
	exactPhases = 640
	tablePhases = 512
)

// resampler converts mono samples to another rate with a linear-phase, band-limited
// filter: a Kaiser-windowed sinc, evaluated by phase (J. O. Smith, "Digital
// Audio Resampling"). The available pure-Go libraries could replace it if they
// filtered before they interpolate: without a filter, noise aliases into speech.
//
// The filter's delay is compensated: output sample n is the signal at exactly
// n/to s. The look-ahead of half a filter adds latency: 4.6 ms at 48 kHz,
// 9.2 ms at 8 kHz, if the output has 16 kHz.
type resampler struct {
	same   bool // the input has SampleRate: samples pass unchanged
	l, m   int  // output and input steps: rates divided by their common divisor
	half   int  // the filter spans this many input samples on either side
	phases int
	table  [][]float32 // by phase, 2*half taps each; one row more if interpolated

	buf  []float32 // the part of the input that is still needed
	from int64     // index of buf[0] in the input; negative in the silence before it
	at   int64     // the next output's position in the input is at + frac/l
	frac int
	seen int64 // input samples so far
	out  []float32
}

// newResampler returns a resampler for input at rate hertz, and output at to hertz.
func newResampler(rate, to int) *resampler {
	if rate == to {
		return &resampler{same: true}
	}
	d := gcd(rate, to)
	r := &resampler{l: to / d, m: rate / d}
	nyquist := float64(min(rate, to)) / 2
	width := nyquist * (1 - passband) / float64(rate)  // of the transition, in cycles per sample
	cutoff := nyquist * (1 + passband) / float64(rate) // the middle of the transition, relative to half the rate
	// Kaiser's formulas for the length and shape of the window.
	r.half = int(math.Ceil((stopband - 7.95) / (14.36 * width) / 2))
	beta := 0.1102 * (stopband - 8.7)

	r.phases = r.l
	rows := r.l
	if r.l > exactPhases {
		r.phases, rows = tablePhases, tablePhases+1
	}
	r.table = make([][]float32, rows)
	for p := range r.table {
		r.table[p] = kaiserSinc(r.half, float64(p)/float64(r.phases), cutoff, beta)
	}
	r.reset()
	return r
}

// reset begins a new input.
func (r *resampler) reset() {
	if r.same {
		return
	}
	r.buf = make([]float32, r.half-1) // silence before the first sample
	r.from = -int64(r.half - 1)
	r.at, r.frac, r.seen = 0, 0, 0
}

// kaiserSinc returns the 2*half taps for an output at offset (0..1) after an input
// sample, with a gain of 1 at 0 Hz. The cutoff is relative to the Nyquist
// frequency of the input.
func kaiserSinc(half int, offset, cutoff, beta float64) []float32 {
	taps := make([]float64, 2*half)
	sum := 0.0
	for j := range taps {
		t := offset + float64(half-1-j)
		x := t / float64(half)
		taps[j] = sinc(cutoff*t) * besselI0(beta*math.Sqrt(max(0, 1-x*x)))
		sum += taps[j]
	}
	row := make([]float32, len(taps))
	for j, v := range taps {
		row[j] = float32(v / sum)
	}
	return row
}

func sinc(x float64) float64 {
	if math.Abs(x) < 1e-9 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// besselI0 is the modified Bessel function of the first kind, order 0, by its
// power series.
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// process adds input and returns the output that is now complete. The slice is
// valid until the next call.
func (r *resampler) process(in []float32) []float32 {
	if r.same {
		return in
	}
	r.seen += int64(len(in))
	r.buf = append(r.buf, in...)
	return r.run(math.MaxInt64)
}

// flush returns the rest of the output, as if silence followed the input. The last
// output sample lies before the end of the input.
func (r *resampler) flush() []float32 {
	if r.same {
		return nil
	}
	r.buf = append(r.buf, make([]float32, r.half)...)
	return r.run(r.seen)
}

// run computes the outputs before input index end for which all input of the
// filter is available.
func (r *resampler) run(end int64) []float32 {
	r.out = r.out[:0]
	for r.at < end {
		first := int(r.at - int64(r.half) + 1 - r.from)
		if first+2*r.half > len(r.buf) {
			break
		}
		r.out = append(r.out, r.filter(r.buf[first:first+2*r.half]))
		r.frac += r.m
		r.at += int64(r.frac / r.l)
		r.frac %= r.l
	}
	r.dropUsed()
	return r.out
}

// filter returns the output at the current phase for the input x around it.
func (r *resampler) filter(x []float32) float32 {
	if r.phases == r.l {
		return dot(x, r.table[r.frac])
	}
	phase := float64(r.frac) * float64(r.phases) / float64(r.l)
	p := min(int(phase), r.phases-1)
	a, b := dot(x, r.table[p]), dot(x, r.table[p+1])
	return a + float32(phase-float64(p))*(b-a)
}

// dropUsed drops the input that no later output needs, 4096 samples or more at
// once.
func (r *resampler) dropUsed() {
	used := int(r.at - int64(r.half) + 1 - r.from)
	used = min(used, len(r.buf))
	if used < 4096 {
		return
	}
	r.buf = append(r.buf[:0], r.buf[used:]...)
	r.from += int64(used)
}

// dot returns the inner product. Four independent sums let the processor compute
// in parallel.
func dot(x, h []float32) float32 {
	var s0, s1, s2, s3 float32
	h = h[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += x[i] * h[i]
		s1 += x[i+1] * h[i+1]
		s2 += x[i+2] * h[i+2]
		s3 += x[i+3] * h[i+3]
	}
	for ; i < len(x); i++ {
		s0 += x[i] * h[i]
	}
	return s0 + s1 + s2 + s3
}
