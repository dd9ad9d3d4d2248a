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
)

// live transcribes audio while it arrives: a pass over what is not final yet, as
// often as there is new audio and the last pass is done.
type live struct {
	*transcription
	text   agreement.Text
	buffer []float32
	start  time.Duration // of the buffer, in the audio
	passed int           // samples of the buffer that the last pass heard
	// trimmed tells that the buffer is not the whole audio any more.
	trimmed bool
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

// pass makes a hypothesis of the buffer and tells what it says.
func (l *live) pass() error {
	segments, err := l.hypothesis()
	if err != nil {
		return err
	}
	l.passed, l.latest = len(l.buffer), segments
	l.text.Update(segments)
	if err := l.trim(len(segments) == 0); err != nil {
		return err
	}
	return l.emit(&gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Interim{Interim: &gatewayv1.InterimTranscript{
		CommittedText:  l.text.Committed(),
		TentativeText:  l.text.Tentative(),
		AudioProcessed: durationpb.New(speech.Duration(l.heard)),
	}}})
}

// hypothesis transcribes the buffer.
func (l *live) hypothesis() ([]transcript.Segment, error) {
	c := &clip{samples: l.buffer, start: l.start}
	if hears, err := l.hears(c); err != nil || !hears {
		return nil, err
	}
	// A state that is new each time makes a pass depend on nothing but its audio
	// and prompt.
	if err := l.stream.renew(); err != nil {
		return nil, err
	}
	if !l.detected || !l.trimmed && (l.passed < languageSamples || len(l.buffer) == l.passed) {
		if err := l.detect(c.sounding()); err != nil {
			return nil, err
		}
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
	if len(final) == 0 && len(l.buffer) >= fullSamples {
		if final, end = l.text.Force(); len(final) == 0 {
			end = l.start + speech.Duration(len(l.buffer)-silenceKept)
		}
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

// cut drops the audio before a time.
func (l *live) cut(to time.Duration) {
	samples := min(max(0, speech.Index(to-l.start)), len(l.buffer))
	// A copy: a computation that was given up may still read the old one.
	l.buffer = slices.Clone(l.buffer[samples:])
	l.start += speech.Duration(samples)
	l.passed -= samples
	l.trimmed = true
}

// end hears the rest and tells the whole.
func (l *live) end() error {
	segments := l.latest
	if l.trimmed || l.request.detect || l.passed != len(l.buffer) {
		l.passed = len(l.buffer)
		var err error
		if segments, err = l.hypothesis(); err != nil {
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
