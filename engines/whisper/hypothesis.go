package whisper

import (
	"strings"

	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
)

const (
	// promptBytes is how much of the text before the buffer is the prompt of the
	// next pass.
	promptBytes = 200
	// shortSpeech is the length of sound that may be no speech: if the model finds nothing in
	// it, there is nothing.
	shortSpeech = speech.Rate * 6 / 10
	// languageSamples is the length of speech after which the language is not
	// detected again.
	languageSamples = 5 * speech.Rate
	// After certainPasses in a row with a confidence above minCertainty, the language
	// is not detected again either: a detection costs one pass of the encoder.
	minCertainty  = 0.9
	certainPasses = 2
)

// sameInput reports whether a pass would give the model the input of the last one, because
// the voice activity model finds no speech in the audio since. The result would be the
// same.
func (l *live) sameInput(c *clip) bool {
	return l.lastInput > 0 && c.cut != nil && len(c.cut.Samples) == l.lastInput && (!l.request.detect || !l.mustDetect())
}

// hypothesis transcribes the buffer; hasSpeech is false if there is nothing to transcribe.
// It reports whether the model has understood the audio; it is asked again only if this is
// the last pass about the audio.
func (l *live) hypothesis(c *clip, hasSpeech, last bool) (segments []transcript.Segment, understood bool, err error) {
	l.lastInput = 0
	if !hasSpeech {
		return nil, true, nil
	}
	options := l.request.options
	options.AudioContext = l.model.parameters.audioContext(len(c.input()), true)
	if l.mustDetect() {
		before := l.request.options.Language
		if err := l.detect(c.input(), options.AudioContext); err != nil {
			return nil, false, err
		}
		l.countCertain(before)
		options.Language = l.request.options.Language
	}
	options.InitialPrompt = l.textBefore(options.AudioContext > 0)
	most := limitOf(len(c.input()))
	// If nobody spoke, improbable text is none.
	spoken := l.voice.spoken > 0
	most.improbable, most.empty, most.again = last && spoken, l.voice.length < shortSpeech, !last || !spoken
	end := l.speechEnd(c)
	// A window after the end of the speech would cost time, and models invent words there.
	window := func(percent int) bool { return percent == 0 || percent*len(c.input())/100 < end }
	_, understood, err = l.hear(options, c, most, window, func(s transcript.Segment) error {
		if c.cut == nil && s.Start >= l.start+speech.Duration(end) || noWords(s.Text) {
			return nil
		}
		segments = append(segments, s)
		return nil
	})
	if understood {
		l.lastInput = len(c.input())
	}
	return segments, understood, err
}

// noWords reports whether a text is only a remark such as "[BLANK_AUDIO]".
func noWords(text string) bool {
	text = transcript.Clean(text)
	return strings.HasPrefix(text, "[") && strings.IndexByte(text, ']') == len(text)-1
}

// speechEnd returns where in the input the speech ends, as far as that is known.
func (l *live) speechEnd(c *clip) int {
	end := l.voice.spoken - (l.received - len(c.samples))
	if c.cut != nil || end <= 0 {
		return len(c.input())
	}
	return end
}

// mustDetect reports whether this pass must detect the language: until it is certain.
func (l *live) mustDetect() bool {
	if !l.detected {
		return true
	}
	return l.voice.all < languageSamples && l.certain < certainPasses
}

// countCertain counts the passes in a row that were certain of the same language.
// before is the language before this pass.
func (l *live) countCertain(before int) {
	switch {
	case l.confidence <= minCertainty:
		l.certain = 0
	case l.certain > 0 && l.request.options.Language != before:
		l.certain = 1
	default:
		l.certain++
	}
}

// textBefore returns the text that the model gets before the buffer's. With a short context,
// models repeat the text of the stream.
func (l *live) textBefore(short bool) string {
	switch {
	case short && (len(l.segments) > 0 || l.request.resumed):
		return ""
	case len(l.segments) > 0:
		return l.prompt()
	}
	return l.request.options.InitialPrompt
}

// prompt returns the end of the final text, beginning with a whole word.
func (l *live) prompt() string {
	text := transcript.Text(l.segments)
	if len(text) <= promptBytes {
		return text
	}
	from := len(text) - promptBytes
	for i, r := range text[from:] {
		if r == ' ' {
			return text[from+i+1:]
		}
	}
	return transcript.Clean(text[from:])
}
