package whisper

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/whisper/agreement"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

// A small model that hears a voice unlike those of its training invents words, and gives
// them a high probability. But it invents others if the same audio begins a little later,
// while words that it has understood stay.

// delay is the silence before the audio that is heard a second time. It is no multiple of
// the encoder's 20 ms.
const delay = 130 * time.Millisecond

// hear transcribes the input of a clip and gives each segment with text to deliver. It
// returns the end of the last segment, in frames. If the model's max_disagreement asks for
// it, the input is transcribed twice; if the texts differ by more, nothing is delivered and
// t.uncertain is set. understood is that of runClip.
func (t *transcription) hear(options whispercpp.Options, c *clip, l limit, window func(int) bool, deliver func(transcript.Segment) error) (lastEnd int, understood bool, err error) {
	t.uncertain = false
	most := t.model.parameters.MaxDisagreement
	var found []transcript.Segment
	understood, err = t.stream.runClip(options, c.input(), l, window, func(segment whispercpp.Segment) error {
		lastEnd = int(segment.End)
		s, ok := t.segment(c, segment)
		if !ok {
			return nil
		}
		if most >= 1 {
			return deliver(s)
		}
		found = append(found, s)
		return nil
	})
	if err != nil || len(found) == 0 {
		return lastEnd, understood, err
	}
	again, understood, err := t.hearAgain(options, c, l)
	if err != nil || !understood {
		return lastEnd, understood, err
	}
	if agreement.Difference(wordsOf(found), wordsOf(again)) > most {
		t.uncertain = true
		return lastEnd, understood, nil
	}
	for _, s := range found {
		if err := deliver(s); err != nil {
			return lastEnd, understood, err
		}
	}
	return lastEnd, understood, nil
}

// hearAgain transcribes the input of a clip after a short silence. understood is that of
// runClip.
func (t *transcription) hearAgain(options whispercpp.Options, c *clip, l limit) (found []transcript.Segment, understood bool, err error) {
	later := &clip{samples: append(make([]float32, speech.Index(delay)), c.input()...), start: c.start}
	options.KeepContext = false
	most := limitOf(len(later.samples))
	most.improbable, most.empty, most.again = l.improbable, l.empty, l.again
	understood, err = t.stream.runClip(options, later.samples, most, nil, func(segment whispercpp.Segment) error {
		if s, ok := t.segment(later, segment); ok {
			found = append(found, s)
		}
		return nil
	})
	return found, understood, err
}

func wordsOf(segments []transcript.Segment) []transcript.Word {
	var words []transcript.Word
	for _, s := range segments {
		words = append(words, s.Words...)
	}
	return words
}
