package audio_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// rates are the common ones, and two without a large common divisor with 16,000 Hz.
var rates = []int{8000, 11025, 16000, 22050, 24000, 44100, 44101, 48000, 191999, 192000}

// floats encodes samples as PCM f32le.
func floats(samples []float32) []byte {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(s))
	}
	return b
}

func rawFloat(rate int) *gatewayv1.AudioFormat {
	return &gatewayv1.AudioFormat{Encoding: pcmF32LE, SampleRateHertz: int32(rate)}
}

// tone returns 0.3 s of a sine.
func tone(hertz float64, rate int) []float32 {
	s := make([]float32, rate*3/10)
	for i := range s {
		s[i] = float32(0.5 * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate)))
	}
	return s
}

// level returns the power of the middle of s relative to that of tone, in decibels.
func level(s []float32) float64 {
	s = s[len(s)/4 : len(s)*3/4]
	sum := 0.0
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(s))/(0.25/2)+1e-30)
}

// Speech keeps its level. Frequencies above 8 kHz are removed and do not alias.
func TestResamplerDoesNotAlias(t *testing.T) {
	for _, rate := range rates {
		nyquist := float64(min(rate, audio.SampleRate)) / 2
		for _, part := range []float64{0.02, 0.25, 0.5, 0.9} {
			got := level(decode(t, rawFloat(rate), floats(tone(part*nyquist, rate))))
			if math.Abs(got) > 0.01 {
				t.Errorf("%d Hz: a tone of %.0f Hz comes out at %.3f dB", rate, part*nyquist, got)
			}
		}
		for _, hertz := range []float64{8200, 10000, 15900, 17000, 23000} {
			if hertz >= float64(rate)/2 {
				continue
			}
			if got := level(decode(t, rawFloat(rate), floats(tone(hertz, rate)))); got > -95 {
				t.Errorf("%d Hz: a tone of %.0f Hz comes out at %.1f dB", rate, hertz, got)
			}
		}
	}
}

// A click and the end keep their time.
func TestResamplerKeepsTime(t *testing.T) {
	for _, rate := range rates {
		in := make([]float32, rate*3/2+7)
		in[rate] = 1 // at 1.000 s
		out := decode(t, rawFloat(rate), floats(in))
		want := float64(len(in)) * audio.SampleRate / float64(rate)
		if math.Abs(float64(len(out))-want) > 1 {
			t.Errorf("%d Hz: %d samples, want %.1f", rate, len(out), want)
		}
		peak := 0
		for i, v := range out {
			if v > out[peak] {
				peak = i
			}
		}
		if peak != audio.SampleRate {
			t.Errorf("%d Hz: the click at 1 s is at sample %d", rate, peak)
		}
	}
}

// Samples of a live stream are returned while its pieces arrive. Only half of the
// resampler's filter is held back.
func TestLatency(t *testing.T) {
	for _, test := range []struct {
		rate int
		held float64 // milliseconds at most
	}{{16000, 0.01}, {48000, 4.7}, {44100, 4.7}, {8000, 9.3}} {
		t.Run(fmt.Sprint(test.rate), func(t *testing.T) {
			source := &microphone{t: t, piece: floats(make([]float32, test.rate/50)), budget: 1} // 20 ms
			r := audio.NewReader(rawFloat(test.rate), source, audio.Limits{})
			buf := make([]float32, audio.SampleRate) // larger than the audio: Read must not wait to fill it
			total := 0
			for pieces := 1; pieces <= 50; pieces++ {
				source.budget = pieces
				due := float64(pieces)*20 - test.held
				for float64(total)/16 < due-0.1 {
					n, err := r.Read(buf)
					if err != nil {
						t.Fatal(err)
					}
					total += n
				}
			}
		})
	}
}

// microphone is a Source that fails the test if more than budget pieces are read.
type microphone struct {
	t      *testing.T
	piece  []byte
	calls  int
	budget int
}

func (m *microphone) Next() ([]byte, error) {
	if m.calls++; m.calls > m.budget {
		m.t.Fatalf("reads piece %d before it returned the samples of %d pieces", m.calls, m.budget)
	}
	return m.piece, nil
}
