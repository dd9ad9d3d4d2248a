package audio

import (
	"encoding/binary"
	"math"
)

// PCMResampler converts mono samples of 16 bits, little-endian, to another rate.
type PCMResampler struct {
	r  *resampler
	in []float32
}

// NewPCMResampler returns a resampler for input at from hertz, and output at to hertz.
func NewPCMResampler(from, to int) *PCMResampler { return &PCMResampler{r: newResampler(from, to)} }

// Process adds whole samples and returns the output that is now complete.
func (p *PCMResampler) Process(pcm []byte) []byte {
	if p.r.same {
		return pcm
	}
	p.in = p.in[:0]
	for i := 0; i+1 < len(pcm); i += 2 {
		p.in = append(p.in, float32(int16(binary.LittleEndian.Uint16(pcm[i:])))/(1<<15)) //nolint:gosec // the sign is in the highest bit
	}
	return samples16(p.r.process(p.in))
}

// Flush returns the rest of the output.
func (p *PCMResampler) Flush() []byte { return samples16(p.r.flush()) }

// samples16 returns samples as 16 bits, little-endian. What is too loud is clipped.
func samples16(samples []float32) []byte {
	out := make([]byte, 0, 2*len(samples))
	for _, v := range samples {
		scaled := math.Round(float64(v) * (1 << 15))
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(min(max(scaled, math.MinInt16), math.MaxInt16)))) //nolint:gosec // in range
	}
	return out
}
