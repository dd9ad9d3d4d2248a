package audio_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
)

// speech returns a second of sound with the changing level and pitch of speech.
func speech(rate int) []float32 {
	random := rand.New(rand.NewPCG(3, 4))
	s := make([]float32, rate)
	phase := 0.0
	for i := range s {
		at := float64(i) / float64(rate)
		phase += 2 * math.Pi * (140 + 30*math.Sin(5*at)) / float64(rate)
		level := 0.3 * math.Abs(math.Sin(2*math.Pi*3*at))
		s[i] = float32(level*(math.Sin(phase)+0.5*math.Sin(3*phase)) + 0.001*random.NormFloat64())
	}
	return s
}

// power returns the mean square of s.
func power(s []float32) float64 {
	sum := 0.0
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	return sum / float64(len(s))
}

// interleave returns channels that are the voice times a factor.
func interleave(voice []float32, factors ...float32) []float32 {
	var all []float32
	for _, v := range voice {
		for _, f := range factors {
			all = append(all, f*v)
		}
	}
	return all
}

// No arrangement of the channels makes the speech inaudible.
func TestChannelsKeepTheSpeech(t *testing.T) {
	voice := speech(16000)
	for _, test := range []struct {
		name    string
		factors []float32
		want    float64 // level, relative to the voice
	}{
		{"the same twice", []float32{1, 1}, 1},
		{"inverted", []float32{1, -1}, 1},
		{"inverted and softer", []float32{1, -0.7}, 0.85},
		{"inverted and much softer", []float32{1, -0.1}, 0.55},
		{"inverted, the first much softer", []float32{-0.1, 1}, 0.55},
		{"second silent", []float32{1, 0}, 0.5},
		{"first silent", []float32{0, 1}, 0.5},
		{"four, one inverted", []float32{1, 1, -1, 1}, 1},
		{"eight, half inverted", []float32{1, -1, 1, -1, 1, -1, 1, -1}, 1},
	} {
		channels := uint16(len(test.factors))
		format := rawInt(16000, int32(channels))
		samples := audio.EncodePCM16(interleave(voice, test.factors...))
		for how, got := range map[string][]float32{
			"PCM": decode(t, format, samples),
			"WAV": decode(t, nil, []byte(wav(1, channels, 16000, 16, string(samples)))),
		} {
			got, voice := got[1600:], voice[1600:]
			sign := float32(1)
			if test.factors[0] < 0 {
				sign = -1
			}
			if x := snr(got, interleave(voice, sign*float32(test.want))); x < 40 {
				t.Errorf("%s, %s: the speech agrees to %.1f dB, at a level of %.2f", test.name, how, x, math.Sqrt(power(got)/power(voice)))
			}
		}
	}
}

// A recording may change its polarity, and channels that only resemble each
// other's inverse for an instant are averaged as always.
func TestPolarityOverTime(t *testing.T) {
	voice := speech(16000)
	changing := append(interleave(voice, 1, 1), interleave(voice, 1, -1)...)
	got := decode(t, rawInt(16000, 2), audio.EncodePCM16(changing))
	if x := snr(got[:16000], voice); x < 40 {
		t.Errorf("before the change: %.1f dB", x)
	}
	if x := snr(got[20000:], voice[4000:]); x < 40 {
		t.Errorf("a quarter of a second after the change: %.1f dB", x)
	}

	// Two speakers, and the noise of two microphones.
	random := rand.New(rand.NewPCG(5, 6))
	var two, want []float32
	for i, v := range voice {
		w := voice[len(voice)-1-i] + float32(0.01*random.NormFloat64())
		two, want = append(two, v, w), append(want, (v+w)/2)
	}
	if x := snr(decode(t, rawInt(16000, 2), audio.EncodePCM16(two)), want); x < 30 {
		t.Errorf("two speakers: their average agrees to %.1f dB", x)
	}
}

// Chunks of an odd length may lack their padding.
func TestWAVWithoutPadding(t *testing.T) {
	samples := string(audio.EncodePCM16([]float32{0.25, -0.25, 0.5, -0.5}))
	want := []float32{0.25, -0.25, 0.5, -0.5}
	data := wav(1, 1, 16000, 16, samples)
	header, body := data[:36], data[36:]
	rf64 := strings.Replace(strings.Replace(header, "RIFF", "RF64", 1),
		"WAVE", "WAVEds64\x1d\x00\x00\x00"+strings.Repeat("\x00", 8)+"\x08"+strings.Repeat("\x00", 20), 1)
	for name, file := range map[string]string{
		"LIST":                 header + "LIST\x05\x00\x00\x00INFOx" + body,
		"LIST, padded":         header + "LIST\x05\x00\x00\x00INFOx\x00" + body,
		"LIST, padded oddly":   header + "LIST\x05\x00\x00\x00INFOxx" + body,
		"bext":                 header + "bext\x01\x00\x00\x00x" + body,
		"JUNK":                 header + "JUNK\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + body,
		"JUNK, padded":         header + "JUNK\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + body,
		"two of them":          header + "bext\x01\x00\x00\x00xLIST\x03\x00\x00\x00abc" + body,
		"unknown":              header + "xyz1\x03\x00\x00\x00abcxyz2\x01\x00\x00\x00x" + body,
		"before the format":    header[:12] + "JUNK\x01\x00\x00\x00x" + header[12:] + body,
		"format of odd length": strings.Replace(header, "fmt \x10", "fmt \x11", 1) + "\x00" + body,
		"RF64":                 rf64 + strings.Replace(body, "\x08\x00\x00\x00", "\xff\xff\xff\xff", 1),
		"samples":              strings.Replace(data, "data\x08", "data\x09", 1) + "x",
		"chunk after samples":  strings.Replace(data, "data\x08", "data\x09", 1) + "xLIST\x03\x00\x00\x00abc",
	} {
		if got := decode(t, nil, []byte(file)); !equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if got := decode(t, nil, []byte(file+data)); !equal(got, append(want, want...)) {
			t.Errorf("%s and another file: %v", name, got)
		}
	}
}
