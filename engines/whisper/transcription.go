package whisper

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// transcription is a running call.
type transcription struct {
	model   *model
	request request
	stream  *stream
	emit    func(*gatewayv1.TranscriptionEvent) error

	detected   bool
	confidence float32 // of the language
	received   int     // samples
	segments   []transcript.Segment
	// uncertain reports whether the last text that was heard was left out, because the
	// model was not certain of it; omitted, whether any was.
	uncertain, omitted bool
}

// clip is a stretch of the audio that is given to the model.
type clip struct {
	samples []float32
	// start is the time at which it begins in the audio.
	start time.Duration
	// more reports whether there is audio after it.
	more bool
	// cut is the clip without silence; nil without a voice activity model.
	cut *speech.Cut
	// rest is the frame at which the next clip begins: the end, or the beginning of
	// speech that may continue after the end. prepare sets it.
	rest int
}

// input returns the samples to transcribe.
func (c *clip) input() []float32 {
	if c.cut != nil {
		return c.cut.Samples
	}
	return c.samples
}

// end returns the time at which the clip ends in the audio.
func (c *clip) end() time.Duration { return c.start + speech.Duration(len(c.samples)) }

// time maps hundredths of a second in the input to a time in the audio. whisper.cpp
// pads windows with silence, and models may place text there: such times become the end
// of the clip.
func (c *clip) time(hundredths int64) time.Duration {
	t := time.Duration(hundredths) * 10 * time.Millisecond
	if c.cut != nil {
		t = c.cut.Original(t)
	}
	return min(c.start+t, c.end())
}

// span returns the times of a segment. A segment without length, which whisper.cpp may
// return and which time may produce at the end of a clip, gets minDuration.
func (c *clip) span(found whispercpp.Segment) (start, end time.Duration) {
	start, end = c.time(found.Start), c.time(found.End)
	if end > start && (c.cut == nil || end-start >= minDuration) {
		return start, end
	}
	end = min(start+minDuration, c.end())
	return max(c.start, min(start, end-minDuration)), end
}

// silent reports whether a stretch of the audio is digital silence.
func (c *clip) silent(start, end time.Duration, threshold float32) bool {
	from := min(max(0, speech.Index(start-c.start)), len(c.samples))
	to := min(max(0, speech.Index(end-c.start)), len(c.samples))
	return to > from && speech.Silent(c.samples[from:to], threshold)
}

// minLength is whisper.cpp's minimum: shorter audio has no text.
const minLength = speech.Rate / 10

// prepare removes silence from a clip and reports whether there is anything to
// transcribe.
func (t *transcription) prepare(c *clip) (bool, error) {
	p := t.model.parameters
	c.rest = len(c.samples) / frameLength
	if len(c.samples) < minLength || p.SilenceThreshold > 0 && speech.Silent(c.samples, float32(p.SilenceThreshold)) {
		return false, nil
	}
	if t.stream.vad == nil {
		return true, nil
	}
	spans, err := t.stream.speech(c.samples)
	if err != nil {
		return false, err
	}
	found := make([]speech.Stretch, len(spans))
	for i, s := range spans {
		found[i] = speech.Stretch(s)
	}
	if c.more {
		found, c.rest = speech.Complete(found, c.rest, p.reserve())
	}
	c.cut = speech.NewCut(c.samples, found, int(p.VADSamplesOverlap*speech.Rate))
	return len(c.cut.Samples) >= minLength, nil
}

// detect detects and sets the language if the request does not give it.
func (t *transcription) detect(samples []float32, audioContext int) error {
	if !t.request.detect {
		return nil
	}
	id, probability, err := t.stream.detect(samples, audioContext)
	if err != nil {
		return err
	}
	t.request.options.Language, t.confidence, t.detected = id, probability, true
	return nil
}

// minDuration is the duration of a segment without length. whisper.cpp uses it for
// segments that have no length after their times are mapped to the original audio.
const minDuration = 100 * time.Millisecond

// segment converts a segment of a clip. It returns false if the segment has no text or
// covers only digital silence.
func (t *transcription) segment(c *clip, found whispercpp.Segment) (transcript.Segment, bool) {
	s := transcript.Segment{Text: found.Text}
	s.Start, s.End = c.span(found)
	tokens := make([]transcript.Token, 0, len(found.Tokens))
	for _, token := range found.Tokens {
		if token.Special {
			continue
		}
		one := transcript.Token{Text: token.Text, Probability: token.Probability, Start: s.Start, End: s.End}
		if token.Start >= 0 && token.End >= 0 && t.request.words {
			one.Start, one.End = c.time(token.Start), c.time(token.End)
		}
		tokens = append(tokens, one)
	}
	s.Words, s.Confidence = transcript.Words(tokens), transcript.Confidence(tokens)
	threshold := float32(t.model.parameters.SilenceThreshold)
	if len(s.Words) == 0 || threshold > 0 && c.silent(s.Start, s.End, threshold) {
		return s, false
	}
	return s, true
}

// emitSegment adds a segment to the transcript and emits it.
func (t *transcription) emitSegment(s transcript.Segment) error {
	t.segments = append(t.segments, s)
	return t.emit(&gatewayv1.TranscriptionEvent{
		Event: &gatewayv1.TranscriptionEvent_Segment{Segment: t.message(s)},
	})
}

// emitFinal emits the whole transcript.
func (t *transcription) emitFinal() error {
	final := &gatewayv1.Transcript{
		Text:          transcript.Text(t.segments),
		Language:      whispercpp.LanguageCode(t.request.options.Language),
		AudioDuration: durationpb.New(speech.Duration(t.received)),
		Uncertain:     t.omitted,
	}
	if t.detected {
		final.LanguageConfidence = t.confidence
	}
	for _, s := range t.segments {
		final.Segments = append(final.Segments, t.message(s))
	}
	return t.emit(&gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Final{Final: final}})
}

func (t *transcription) message(s transcript.Segment) *gatewayv1.TranscriptSegment {
	message := &gatewayv1.TranscriptSegment{
		Text:       transcript.Clean(s.Text),
		Start:      durationpb.New(s.Start),
		End:        durationpb.New(s.End),
		Confidence: s.Confidence,
	}
	if !t.request.words {
		return message
	}
	for _, w := range s.Words {
		message.Words = append(message.Words, &gatewayv1.TranscribedWord{
			Text: w.Text, Start: durationpb.New(w.Start), End: durationpb.New(w.End), Confidence: w.Confidence,
		})
	}
	return message
}
