package piper

import (
	"encoding/binary"
	"math"
	"time"
)

// quiet is the peak below which a sentence is silence.
const quiet = 1e-8

// pcm makes signed 16-bit little-endian samples as piper1-gpl does: a sentence's
// loudest sample is full scale, then comes the volume, and what is beyond is
// clipped.
func pcm(samples []float32, volume float64) []byte {
	var peak float32
	for _, x := range samples {
		peak = max(peak, float32(math.Abs(float64(x)))) // NaN stays
	}
	out := make([]byte, 2*len(samples))
	if !(peak >= quiet) || math.IsInf(float64(peak), 0) {
		return out
	}
	for i, x := range samples {
		// In float32, and cut towards zero, as numpy does it there.
		y := x / peak
		if volume != 1 {
			y *= float32(volume)
		}
		y = min(max(y, -1), 1) * 32767
		binary.LittleEndian.PutUint16(out[2*i:], uint16(int16(y)))
	}
	return out
}

// silence returns the bytes of silence at a rate; always of whole samples.
func silence(rate int, d time.Duration) []byte {
	return make([]byte, 2*int(int64(rate)*int64(d)/int64(time.Second)))
}
