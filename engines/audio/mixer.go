package audio

// mixer averages the channels of a recording.
type mixer struct {
	in []float64 // one sample of each channel
}

func newMixer(_, channels int) *mixer { return &mixer{in: make([]float64, channels)} }

// mean returns the average of the samples in m.in.
func (m *mixer) mean() float64 {
	sum := 0.0
	for _, x := range m.in {
		sum += x
	}
	return sum / float64(len(m.in))
}
