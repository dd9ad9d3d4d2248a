package audio

const (
	// mixerSeconds is the time over which the channels are compared, with
	// exponentially decreasing weight.
	mixerSeconds = 0.1
	// mixerInvert and mixerRestore are the squares of the correlations below which
	// a channel is inverted, -0.8, and above which it no longer is, -0.5.
	mixerInvert  = 0.64
	mixerRestore = 0.25
	// mixerStart is the time in seconds before the first comparison.
	mixerStart = 0.02
	// mixerFade is the time in seconds in which a channel is inverted, so that
	// there is no click.
	mixerFade = 0.005
	// mixerMax and mixerMin are the limits of the powers that are compared. Larger
	// ones overflow, and smaller ones are silence.
	mixerMax  = 1e40
	mixerMin  = 1e-20
	mixerTiny = 1e-60
)

// mixer averages the channels of a recording. A channel that is the inverse of the
// first one would cancel it: a microphone or cable with wrong polarity does that.
// Such a channel is inverted.
type mixer struct {
	in []float64 // one sample of each channel

	decay, step  float64
	start        int       // samples before the first comparison
	first        float64   // power of the first channel
	power, cross []float64 // of the others; their products with the first
	inverted     []bool
	weight       []float64 // 1, or -1 for an inverted channel, or between them
}

func newMixer(rate, channels int) *mixer {
	m := &mixer{
		in:       make([]float64, channels),
		decay:    1 / (mixerSeconds * float64(rate)),
		step:     2 / (mixerFade * float64(rate)),
		start:    int(mixerStart * float64(rate)),
		power:    make([]float64, channels),
		cross:    make([]float64, channels),
		inverted: make([]bool, channels),
		weight:   make([]float64, channels),
	}
	for c := range m.weight {
		m.weight[c] = 1
	}
	return m
}

// mean returns the average of the samples in m.in.
func (m *mixer) mean() float64 {
	first := m.in[0]
	m.average(&m.first, first*first)
	sum := first
	m.start = max(0, m.start-1)
	for c := 1; c < len(m.in); c++ {
		x := m.in[c]
		m.average(&m.power[c], x*x)
		m.average(&m.cross[c], x*first)
		if m.start == 0 {
			m.judge(c)
		}
		sum += m.weight[c] * x
	}
	return sum / float64(len(m.in))
}

// average adds x to a running average. NaN and infinities are left out.
func (m *mixer) average(a *float64, x float64) {
	if x <= mixerMax && x >= -mixerMax {
		*a += m.decay * (x - *a)
		if *a < mixerTiny && *a > -mixerTiny {
			*a = 0 // denormal numbers are slow
		}
	}
}

// judge decides whether channel c is inverted, and moves its weight.
func (m *mixer) judge(c int) {
	cross, scale := m.cross[c], m.first*m.power[c]
	if scale > mixerMin*mixerMin {
		square := cross * cross
		switch {
		case cross < 0 && square > mixerInvert*scale:
			m.inverted[c] = true
		case cross > 0 || square < mixerRestore*scale:
			m.inverted[c] = false
		}
	}
	if m.inverted[c] {
		m.weight[c] = max(-1, m.weight[c]-m.step)
	} else {
		m.weight[c] = min(1, m.weight[c]+m.step)
	}
}
