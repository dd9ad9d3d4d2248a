package whisper

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/voiceactivity"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
)

// anySpeech is what speech is in live audio, for the times of passes: soft speech in noise
// too. In noise that changes by more, somebody always speaks.
var anySpeech = voiceactivity.Options{Threshold: 0, Silence: 200 * time.Millisecond}

// voice finds out by loudness when somebody speaks in the audio of a live stream. All
// positions are numbers of samples from the beginning of the stream.
type voice struct {
	detector *voiceactivity.Detector
	rest     []float32 // the beginning of a frame
	at       int       // end of the last frame
	speaking bool
	spoken   int // the end of the speech so far
	began    int // the beginning of the speech since next, if there was any since then
	since    bool
	length   int // of the speech of the phrase
	all      int // length of all speech
}

func newVoice() *voice { return &voice{detector: voiceactivity.New(speech.Rate, anySpeech)} }

// add adds the samples that follow.
func (v *voice) add(samples []float32) {
	size := v.detector.FrameSamples()
	v.rest = append(v.rest, samples...)
	for ; len(v.rest) >= size; v.rest = v.rest[size:] {
		v.at += size
		before := v.speaking
		v.speaking = v.detector.AddSamples(v.rest[:size])
		switch {
		case v.speaking:
			v.length += size
			v.all += size
			if v.spoken = v.at; !v.since {
				v.since, v.began = true, v.at-speech.Index(v.detector.StartDelay())
			}
		case before:
			v.spoken = v.at - speech.Index(anySpeech.Silence)
		}
	}
	v.rest = append([]float32(nil), v.rest...)
}

// next makes began the beginning of the speech that follows.
func (v *voice) next() { v.since, v.began = v.speaking, v.at }
