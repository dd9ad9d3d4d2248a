package whisper

import (
	"math/rand/v2"
	"testing"

	"github.com/lexilingo/modelgateway/engines/whisper/speech"
)

// sounds returns noise of these levels, each for as many samples.
func sounds(samples int, levels ...float64) []float32 {
	random := rand.New(rand.NewPCG(1, 2))
	var all []float32
	for _, level := range levels {
		for range samples {
			all = append(all, float32(level*random.NormFloat64()))
		}
	}
	return all
}

// However the audio is divided, speech has the same place.
func TestVoiceTellsWhereSpeechIs(t *testing.T) {
	const second = speech.Rate
	audio := sounds(second, 0.0004, 0.1, 0.0004, 0.0004, 0.05, 0.0004)
	near := func(got, want int) bool { return got > want-second/8 && got < want+second/8 }
	for _, piece := range []int{100, 1600, len(audio)} {
		v := newVoice()
		for at := 0; at < len(audio); at += piece {
			v.add(audio[at:min(at+piece, len(audio))])
			if at < 3*second && at+piece >= 3*second && piece < second {
				if v.speaking || !near(v.spoken, 2*second) || !near(v.began, second) {
					t.Errorf("pieces of %d: speech from %d to %d, speaking is %v", piece, v.began, v.spoken, v.speaking)
				}
				v.next()
			}
		}
		began := 4 * second
		if piece > second {
			began = second // nothing was heard in between
		}
		if v.speaking || !near(v.spoken, 5*second) || !near(v.began, began) || !near(v.length, 2*second+second/5) {
			t.Errorf("pieces of %d: speech from %d to %d, %d in all, speaking is %v", piece, v.began, v.spoken, v.length, v.speaking)
		}
	}
}
