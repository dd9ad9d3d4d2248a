package voiceactivity_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/voiceactivity"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

const rate = 16000

// person returns the samples of a sentence that a person says.
func person(t *testing.T) []byte {
	t.Helper()
	file, err := os.ReadFile(modelstest.Speech(t))
	if err != nil {
		t.Fatal(err)
	}
	return file[44:]
}

// noise returns noise of an amplitude between 0 and 1.
func noise(d time.Duration, amplitude float64) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var out []byte
	for range int(d.Seconds() * rate) {
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(amplitude*(2*random.Float64()-1)*math.MaxInt16))) //nolint:gosec // in range
	}
	return out
}

// turn is a stretch of speech.
type turn struct{ start, end time.Duration }

// find returns when the detector reports speech. The end of the last turn is that of the
// samples, if it has none.
func find(d *voiceactivity.Detector, samples []byte) (turns []turn) {
	speaking, at := false, time.Duration(0)
	for ; len(samples) >= d.FrameBytes(); samples = samples[d.FrameBytes():] {
		at += voiceactivity.FrameDuration
		switch now := d.Add(samples[:d.FrameBytes()]); {
		case now && !speaking:
			turns = append(turns, turn{start: at, end: -1})
		case !now && speaking:
			turns[len(turns)-1].end = at
		}
		speaking = len(turns) > 0 && turns[len(turns)-1].end < 0
	}
	if speaking {
		turns[len(turns)-1].end = at
	}
	return turns
}

// mix adds two sounds.
func mix(a, b []byte) []byte {
	out := make([]byte, min(len(a), len(b)))
	for i := 0; i+1 < len(out); i += 2 {
		sum := int(int16(binary.LittleEndian.Uint16(a[i:]))) + int(int16(binary.LittleEndian.Uint16(b[i:]))) //nolint:gosec // the sign is in the highest bit
		binary.LittleEndian.PutUint16(out[i:], uint16(int16(min(max(sum, math.MinInt16), math.MaxInt16))))   //nolint:gosec // in range
	}
	return out
}

// A person's sentence is one turn between two silences, digital or of a quiet room, and
// several with a short Silence.
func TestFindsSpeech(t *testing.T) {
	speech := person(t)
	const before, after = 6 * time.Second, 3 * time.Second
	length := time.Duration(len(speech)/2) * time.Second / rate
	for name, background := range map[string]float64{"digital silence": 0, "a quiet room": 0.003, "a fan": 0.02} {
		samples := append(append(noise(before, 0), speech...), noise(after, 0)...)
		samples = mix(samples, noise(before+length+after, background))
		turns := find(voiceactivity.New(rate, voiceactivity.Options{Threshold: 0.5, Silence: 1200 * time.Millisecond}), samples)
		if background == 0.02 && len(turns) > 0 && turns[0].end < before {
			turns = turns[1:] // until the background is known, it may be speech
		}
		if len(turns) != 1 || turns[0].start < before || turns[0].start > before+time.Second ||
			turns[0].end < before+length || turns[0].end > before+length+1500*time.Millisecond {
			t.Errorf("%s: the speech from %s to %s is found at %v", name, before, before+length, turns)
		}
		short := find(voiceactivity.New(rate, voiceactivity.Options{Threshold: 0.5, Silence: 200 * time.Millisecond}), samples)
		if len(short) < 3 {
			t.Errorf("%s: with short pauses, the speech is found at %v", name, short)
		}
	}
}

// Steady noise, clicks, hum and digital silence are not speech.
func TestOtherSoundsAreNotSpeech(t *testing.T) {
	const length = 20 * time.Second
	hum := make([]byte, len(noise(length, 0)))
	for i := range len(hum) / 2 {
		v := 6000 + 3000*math.Sin(2*math.Pi*50*float64(i)/rate) // with an offset
		binary.LittleEndian.PutUint16(hum[2*i:], uint16(int16(v)))
	}
	clicks := noise(length, 0.001)
	for at := rate; 2*at+40 < len(clicks); at += rate {
		copy(clicks[2*at:], noise(time.Millisecond, 1))
	}
	for name, samples := range map[string][]byte{
		"silence": noise(length, 0), "quiet noise": noise(length, 0.003), "loud noise": noise(length, 0.2), "hum": hum, "clicks": clicks,
	} {
		turns := find(voiceactivity.New(rate, voiceactivity.Options{Threshold: 0.5, Silence: 500 * time.Millisecond}), samples)
		if len(turns) > 0 && (name == "silence" || name == "quiet noise" || name == "clicks" || turns[len(turns)-1].end > 5*time.Second) {
			t.Errorf("%s is taken for speech: %v", name, turns)
		}
	}
}
