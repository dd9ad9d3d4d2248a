package piper

import (
	"encoding/binary"
	"math"
	"time"
)

// minPeak is the peak below which a sentence counts as silence.
const minPeak = 1e-8

// pcm returns signed 16-bit little-endian samples, as in piper1-gpl: the samples
// are scaled so that the peak is full scale, multiplied by the volume, and clipped.
func pcm(samples []float32, volume float64) []byte {
	var peak float32
	for _, x := range samples {
		peak = max(peak, float32(math.Abs(float64(x)))) // NaN is kept
	}
	out := make([]byte, 2*len(samples))
	if !(peak >= minPeak) || math.IsInf(float64(peak), 0) {
		return out
	}
	for i, x := range samples {
		// In float32 and truncated towards zero, as numpy does in piper1-gpl.
		y := x / peak
		if volume != 1 {
			y *= float32(volume)
		}
		y = min(max(y, -1), 1) * 32767
		binary.LittleEndian.PutUint16(out[2*i:], uint16(int16(y)))
	}
	return out
}

// silence returns d of silence at a rate. The length is a whole number of samples.
func silence(rate int, d time.Duration) []byte {
	return make([]byte, 2*int(int64(rate)*int64(d)/int64(time.Second)))
}
