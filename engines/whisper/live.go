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
	// bufferSamples is the maximum length of the buffer: a window.
	bufferSamples = windowSeconds * speech.Rate
	// fullSamples is the length from which on the buffer counts as full. It leaves
	// room for another pass, with which the last one may agree.
	fullSamples = bufferSamples - 2*speech.Rate
	// silenceKept is how much is kept of a buffer without speech.
	silenceKept = speech.Rate
	// promptBytes is how much of the text before the buffer is the prompt of the
	// next pass.
	promptBytes = 200
	// languageSamples is the length of audio after which the language is not
	// detected again.
	languageSamples = 5 * speech.Rate
	// After certainPasses in a row with a confidence above minCertainty, the language
	// is not detected again either: a detection costs one pass of the encoder.
	minCertainty  = 0.9
	certainPasses = 2
)

// live transcribes audio while it arrives. A pass transcribes the buffer, which holds
// the audio that is not final yet. It starts when there is new audio and the last pass
// has ended.
type live struct {
	*transcription
	text      agreement.Text
	buffer    []float32
	start     time.Duration // of the buffer in the audio
	processed int           // samples of the buffer that the last pass covered
	// lastInput is the number of samples of the buffer that the last pass gave to the
	// model; 0 if it gave none or if the buffer was cut since.
	lastInput int
	// skipped reports whether the last pass was skipped.
	skipped bool
	// trimmed reports whether audio was removed from the beginning of the buffer.
	trimmed bool
	// certain is the number of passes in a row that were certain of the language.
	certain int
	// latest are the segments of the last pass.
	latest []transcript.Segment
}

// live transcribes audio while it arrives and emits interim results.
func (t *transcription) live(ctx context.Context, reader *audio.Reader) error {
	l := &live{transcription: t}
	in := newInbox()
	go in.pump(ctx, reader)
	step := t.model.parameters.StepMS * speech.Rate / 1000
	for {
		want := min(l.processed+step, bufferSamples) - len(l.buffer)
		more, ended, err := in.take(ctx, want, bufferSamples-len(l.buffer))
		if err != nil {
			return err
		}
		l.buffer = append(l.buffer, more...)
		t.received += len(more)
		if ended {
			return l.finish()
		}
		if err := l.pass(); err != nil {
			return err
		}
	}
}

// pass transcribes the buffer and emits an interim result. It skips the transcription
// if nothing was said since the last pass.
func (l *live) pass() error {
	c := &clip{samples: l.buffer, start: l.start}
	hasSpeech, err := l.prepare(c)
	if err != nil {
		return err
	}
	l.skipped = l.canSkip(c)
	if !l.skipped {
		if l.latest, err = l.hypothesis(c, hasSpeech); err != nil {
			return err
		}
		l.text.Update(l.latest)
	}
	l.processed = len(l.buffer)
	if err := l.trim(l.skipped || len(l.latest) == 0); err != nil {
		return err
	}
	return l.emit(&gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Interim{Interim: &gatewayv1.InterimTranscript{
		CommittedText:  l.text.Committed(),
		TentativeText:  l.text.Tentative(),
		AudioProcessed: durationpb.New(speech.Duration(l.received)),
	}}})
}

// canSkip reports whether a pass would only repeat the committed text: all of the last
// pass is committed, and the audio since is digital silence, or not speech according
// to the voice activity model.
func (l *live) canSkip(c *clip) bool {
	if l.lastInput == 0 || l.text.Tentative() != "" || l.request.detect && l.mustDetect() {
		return false
	}
	threshold := float32(l.model.parameters.SilenceThreshold)
	return c.cut != nil && len(c.cut.Samples) == l.lastInput ||
		threshold > 0 && speech.Silent(l.buffer[l.processed:], threshold)
}

// hypothesis transcribes the buffer. It returns nothing if hasSpeech is false.
func (l *live) hypothesis(c *clip, hasSpeech bool) ([]transcript.Segment, error) {
	l.lastInput = 0
	if !hasSpeech {
		return nil, nil
	}
	l.lastInput = len(c.input())
	// With a new state, a pass depends only on its audio and prompt.
	if err := l.stream.renew(); err != nil {
		return nil, err
	}
	if l.mustDetect() {
		before := l.request.options.Language
		if err := l.detect(c.input()); err != nil {
			return nil, err
		}
		l.countCertain(before)
	}
	options := l.request.options
	options.AudioContext = l.model.parameters.audioContext(len(c.input()))
	if l.trimmed {
		options.InitialPrompt = l.prompt()
	}
	var segments []transcript.Segment
	err := l.stream.runClip(options, c.input(), limitOf(len(c.input())), nil, func(found whispercpp.Segment) error {
		if s, ok := l.segment(c, found); ok {
			segments = append(segments, s)
		}
		return nil
	})
	return segments, err
}

// mustDetect reports whether this pass must detect the language: until it is certain,
// and at the end if the buffer is the whole audio, as for a whole clip.
func (l *live) mustDetect() bool {
	if !l.detected {
		return true
	}
	atEnd := len(l.buffer) == l.processed
	return !l.trimmed && (atEnd || l.processed < languageSamples && l.certain < certainPasses)
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

// trim removes final segments or silence from the beginning of a long buffer. nothing
// reports whether the last pass found no new text.
func (l *live) trim(nothing bool) error {
	if len(l.buffer) < l.model.parameters.TrimSeconds*speech.Rate {
		return nil
	}
	if nothing && l.text.Committed() == "" {
		l.dropBefore(l.start + speech.Duration(len(l.buffer)-silenceKept))
		return nil
	}
	final, end := l.text.Trim()
	if len(l.buffer) >= fullSamples {
		final, end = l.force(final, end)
	}
	for _, s := range final {
		if err := l.emitSegment(s); err != nil {
			return err
		}
	}
	if end > 0 {
		l.dropBefore(end)
	}
	return nil
}

// minTrim is the minimum length that is removed from a full buffer. Each pass costs a
// whole window, and very short segments would cause many passes.
const minTrim = time.Second

// force makes more segments final until at least minTrim of a full buffer can be
// removed. It returns all final segments and the time before which to remove.
func (l *live) force(final []transcript.Segment, end time.Duration) ([]transcript.Segment, time.Duration) {
	for end < l.start+minTrim {
		more, at := l.text.Force()
		if at == 0 { // no more segments
			return final, l.start + speech.Duration(len(l.buffer)-silenceKept)
		}
		final, end = append(final, more...), max(end, at)
	}
	return final, end
}

// dropBefore removes the audio before a time from the buffer.
func (l *live) dropBefore(to time.Duration) {
	samples := min(max(0, speech.Index(to-l.start)), len(l.buffer))
	// A copy, because an abandoned computation may still read the old buffer.
	l.buffer = slices.Clone(l.buffer[samples:])
	l.start += speech.Duration(samples)
	l.processed -= samples
	l.lastInput = 0
	l.trimmed = true
}

// finish transcribes the rest of the audio and emits the final segments and the
// transcript.
func (l *live) finish() error {
	segments := l.latest
	if l.trimmed || l.request.detect || l.skipped || l.processed != len(l.buffer) {
		l.processed = len(l.buffer)
		c := &clip{samples: l.buffer, start: l.start}
		hasSpeech, err := l.prepare(c)
		if err != nil {
			return err
		}
		if segments, err = l.hypothesis(c, hasSpeech); err != nil {
			return err
		}
	}
	for _, s := range l.text.Finish(segments) {
		if err := l.emitSegment(s); err != nil {
			return err
		}
	}
	return l.emitFinal()
}
