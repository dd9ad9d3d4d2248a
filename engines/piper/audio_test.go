package piper

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"
)

// TestPCM checks that the samples are those of piper1-gpl, which uses numpy's
// float32 and astype(int16).
func TestPCM(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		samples []float32
		volume  float64
		want    []int16
	}{
		"the peak is full scale": {[]float32{0.1, -0.2, 0.05}, 1, []int16{16383, -32767, 8191}},
		"louder is clipped":      {[]float32{1, 0.25, -1}, 2, []int16{32767, 16383, -32767}},
		"half":                   {[]float32{2, -1}, 0.5, []int16{16383, -8191}},
		"no volume":              {[]float32{1}, 0, []int16{0}},
		"almost silent":          {[]float32{1e-9, -1e-9}, 1, []int16{0, 0}},
		"empty":                  {nil, 1, nil},
		"NaN":                    {[]float32{1, nan, 0.5}, 1, []int16{0, 0, 0}},
		"infinity":               {[]float32{1, inf}, 1, []int16{0, 0}},
	} {
		data := pcm(c.samples, c.volume)
		var got []int16
		for i := 0; i < len(data); i += 2 {
			got = append(got, int16(binary.LittleEndian.Uint16(data[i:]))) //nolint:gosec // reinterprets the bits
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestSilence checks that silence is a whole number of samples at every rate.
func TestSilence(t *testing.T) {
	for _, c := range []struct {
		rate    int
		d       time.Duration
		samples int
	}{{22050, 200 * time.Millisecond, 4410}, {22050, 333 * time.Millisecond, 7342}, {16000, time.Nanosecond, 0}, {48000, 10 * time.Second, 480000}} {
		if got := len(silence(c.rate, c.d)); got != 2*c.samples {
			t.Errorf("%v at %d Hz are %d bytes", c.d, c.rate, got)
		}
	}
}
