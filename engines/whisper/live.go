package whisper

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/whisper/agreement"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// bufferSamples is the most audio that a pass looks at: a window.
	bufferSamples = windowSeconds * speech.Rate
	// fullSamples is when a buffer is taken for full: a pass must be able to
	// wait for another one's agreement before that.
	fullSamples = bufferSamples - 2*speech.Rate
	// silenceKept is what is kept of a buffer in which nothing was said.
	silenceKept = speech.Rate
	// promptBytes of the text before the buffer are told to the next pass.
	promptBytes = 200
	// languageSamples is how much audio it takes to settle the language.
	languageSamples = 5 * speech.Rate
	// certainty in a language, in certainPasses in a row, settles it before that:
	// each detection is one more pass of the encoder.
	certainty     = 0.9
	certainPasses = 2
)

// live transcribes audio while it arrives: a pass over what is not final yet, as
// often as there is new audio and the last pass is done.
type live struct {
	*transcription
	text   agreement.Text
	buffer []float32
	start  time.Duration // of the buffer, in the audio
	passed int           // samples of the buffer that the last pass was about
	// sounded is how many samples of the buffer the last pass gave to the model; 0:
	// none, or others than now.
	sounded int
	// skipped tells that the last pass was left out.
	skipped bool
	// trimmed tells that the buffer is not the whole audio any more.
	trimmed bool
	// certain is how many passes in a row were certain of the language.
	certain int
	// latest are the segments of the last pass.
	latest []transcript.Segment
}

// live sends interim results.
func (t *transcription) live(ctx context.Context, reader *audio.Reader) error {
	l := &live{transcription: t}
	in := newInbox()
	go in.pump(ctx, reader)
	step := t.model.parameters.StepMS * speech.Rate / 1000
	for {
		want := min(l.passed+step, bufferSamples) - len(l.buffer)
		more, ended, err := in.take(ctx, want, bufferSamples-len(l.buffer))
		if err != nil {
			return err
		}
		l.buffer = append(l.buffer, more...)
		t.heard += len(more)
		if ended {
			return l.end()
		}
		if err := l.pass(); err != nil {
			return err
		}
	}
}

// pass makes a hypothesis of the buffer and tells what it says. It leaves that out
// where nothing was said since the last one.
func (l *live) pass() error {
	c := &clip{samples: l.buffer, start: l.start}
	hears, err := l.hears(c)
	if err != nil {
		return err
	}
	l.skipped = l.settled(c)
	if !l.skipped {
		if l.latest, err = l.hypothesis(c, hears); err != nil {
			return err
		}
		l.text.Update(l.latest)
	}
	l.passed = len(l.buffer)
	if err := l.trim(l.skipped || len(l.latest) == 0); err != nil {
		return err
	}
	return l.emit(&gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Interim{Interim: &gatewayv1.InterimTranscript{
		CommittedText:  l.text.Committed(),
		TentativeText:  l.text.Tentative(),
		AudioProcessed: durationpb.New(speech.Duration(l.heard)),
	}}})
}

// settled tells whether a pass would only say again what is committed: all of it is,
// and what came since is digital silence, or no speech to the voice activity model.
func (l *live) settled(c *clip) bool {
	if l.sounded == 0 || l.text.Tentative() != "" || l.request.detect && l.detects() {
		return false
	}
	threshold := float32(l.model.parameters.SilenceThreshold)
	return c.cut != nil && len(c.cut.Samples) == l.sounded ||
		threshold > 0 && speech.Silent(l.buffer[l.passed:], threshold)
}

// hypothesis transcribes the buffer, if there is anything to hear in it.
func (l *live) hypothesis(c *clip, hears bool) ([]transcript.Segment, error) {
	l.sounded = 0
	if !hears {
		return nil, nil
	}
	l.sounded = len(c.sounding())
	// A state that is new each time makes a pass depend on nothing but its audio
	// and prompt.
	if err := l.stream.renew(); err != nil {
		return nil, err
	}
	if l.detects() {
		before := l.request.options.Language
		if err := l.detect(c.sounding()); err != nil {
			return nil, err
		}
		l.note(before)
	}
	options := l.request.options
	options.AudioContext = l.model.parameters.audioContext(len(c.sounding()))
	if l.trimmed {
		options.InitialPrompt = l.prompt()
	}
	var segments []transcript.Segment
	err := l.stream.run(options, c.sounding(), nil, func(found whispercpp.Segment) error {
		if s, ok := l.segment(c, found); ok {
			segments = append(segments, s)
		}
		return nil
	})
	return segments, err
}

// detects tells whether the language is to be detected in this pass: until it is
// settled, and at the end of audio that is all there, as for a whole clip.
func (l *live) detects() bool {
	if !l.detected {
		return true
	}
	atEnd := len(l.buffer) == l.passed
	return !l.trimmed && (atEnd || l.passed < languageSamples && l.certain < certainPasses)
}

// note counts the passes in a row that were certain of the same language; before is
// the language until now.
func (l *live) note(before int) {
	switch {
	case l.confidence <= certainty:
		l.certain = 0
	case l.certain > 0 && l.request.options.Language != before:
		l.certain = 1
	default:
		l.certain++
	}
}

// prompt is the end of the final text, from a word's beginning on.
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

// trim cuts off what is final once the buffer is long, and what is silent.
func (l *live) trim(nothing bool) error {
	if len(l.buffer) < l.model.parameters.TrimSeconds*speech.Rate {
		return nil
	}
	if nothing && l.text.Committed() == "" {
		l.cut(l.start + speech.Duration(len(l.buffer)-silenceKept))
		return nil
	}
	final, end := l.text.Trim()
	if len(l.buffer) >= fullSamples {
		final, end = l.force(final, end)
	}
	for _, s := range final {
		if err := l.keep(s); err != nil {
			return err
		}
	}
	if end > 0 {
		l.cut(end)
	}
	return nil
}

// leastTrim is the least that a full buffer loses: each pass costs a whole window,
// and without it one that says a segment ends at once would be followed by as many.
const leastTrim = time.Second

// force makes more segments final, after those that are, until enough of a full
// buffer can be cut off, and returns them with the time to cut it at.
func (l *live) force(final []transcript.Segment, end time.Duration) ([]transcript.Segment, time.Duration) {
	for end < l.start+leastTrim {
		more, at := l.text.Force()
		if at == 0 { // there are no more
			return final, l.start + speech.Duration(len(l.buffer)-silenceKept)
		}
		final, end = append(final, more...), max(end, at)
	}
	return final, end
}

// cut drops the audio before a time.
func (l *live) cut(to time.Duration) {
	samples := min(max(0, speech.Index(to-l.start)), len(l.buffer))
	// A copy: a computation that was given up may still read the old one.
	l.buffer = slices.Clone(l.buffer[samples:])
	l.start += speech.Duration(samples)
	l.passed -= samples
	l.sounded = 0
	l.trimmed = true
}

// end hears the rest and tells the whole.
func (l *live) end() error {
	segments := l.latest
	if l.trimmed || l.request.detect || l.skipped || l.passed != len(l.buffer) {
		l.passed = len(l.buffer)
		c := &clip{samples: l.buffer, start: l.start}
		hears, err := l.hears(c)
		if err != nil {
			return err
		}
		if segments, err = l.hypothesis(c, hears); err != nil {
			return err
		}
	}
	for _, s := range l.text.Finish(segments) {
		if err := l.keep(s); err != nil {
			return err
		}
	}
	return l.finish()
}
