package whisper

import (
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// No segment is after the end of the audio or without duration, although whisper's
// windows are longer than the audio.
func TestTimesAreWithinTheAudio(t *testing.T) {
	m := load(t, starter(), nil)
	clip := speechSamples(t)
	for _, seconds := range []int{1, 3, 5, 11} {
		for _, interim := range []bool{false, true} {
			got := final(t, m, &gatewayv1.TranscriptionConfig{Format: rawFormat(), WordTimestamps: true, InterimResults: interim},
				pcm(clip[:seconds*16000]))
			length := got.GetAudioDuration().AsDuration()
			for _, s := range got.GetSegments() {
				if start, end := s.GetStart().AsDuration(), s.GetEnd().AsDuration(); start < 0 || end <= start || end > length {
					t.Errorf("%q from %v to %v in audio of %v, interim results %v", s.GetText(), start, end, length, interim)
				}
				for _, w := range s.GetWords() {
					if start, end := w.GetStart().AsDuration(), w.GetEnd().AsDuration(); start < 0 || end < start || end > length {
						t.Errorf("the word %q from %v to %v in audio of %v, interim results %v", w.GetText(), start, end, length, interim)
					}
				}
			}
		}
	}
}
