package whisper

import (
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// segmentsTo returns segments of one word each that end at these times.
func segmentsTo(ends ...time.Duration) []transcript.Segment {
	var segments []transcript.Segment
	start := time.Duration(0)
	for i, end := range ends {
		word := transcript.Word{Text: string(rune('a' + i)), Start: start, End: end}
		segments = append(segments, transcript.Segment{Text: " " + word.Text, Start: start, End: end, Words: []transcript.Word{word}})
		start = end
	}
	return segments
}

// trim removes at least a second from a full buffer, whatever its segments are, so
// that there is not a pass for each short segment.
func TestFullBuffersAreTrimmed(t *testing.T) {
	const short = 20 * time.Millisecond
	for name, c := range map[string]struct {
		passes [][]transcript.Segment
		final  int
		from   time.Duration // of the rest
	}{
		"a short segment first":          {[][]transcript.Segment{segmentsTo(short, 10*time.Second, 20*time.Second)}, 2, 10 * time.Second},
		"a segment that is agreed on":    {[][]transcript.Segment{segmentsTo(short, 10*time.Second), segmentsTo(short, 11*time.Second, 20*time.Second)}, 2, 11 * time.Second},
		"short segments only":            {[][]transcript.Segment{segmentsTo(short, 2*short, 3*short)}, 3, 27 * time.Second},
		"one short segment":              {[][]transcript.Segment{segmentsTo(short)}, 1, 27 * time.Second},
		"an empty hypothesis at the end": {[][]transcript.Segment{segmentsTo(short), segmentsTo(short), nil}, 1, 27 * time.Second},
		"one segment to the end":         {[][]transcript.Segment{segmentsTo(28 * time.Second)}, 1, 28 * time.Second},
	} {
		emitted := 0
		tr := &transcription{model: &model{parameters: parameters{settings.Defaults()}}, emit: func(*gatewayv1.TranscriptionEvent) error { emitted++; return nil }}
		l := &live{transcription: tr, buffer: make([]float32, fullSamples)}
		for _, pass := range c.passes {
			l.text.Update(pass)
		}
		if err := l.trim(len(c.passes[len(c.passes)-1]) == 0); err != nil {
			t.Fatal(err)
		}
		if emitted != c.final || l.start != c.from || len(l.buffer) != fullSamples-speech.Index(c.from) {
			t.Errorf("%s: %d final segments, the rest is from %v; want %d and %v", name, emitted, l.start, c.final, c.from)
		}
	}
}

// The language is detected until two passes in a row are certain of it, and again at
// the end.
func TestWhenLanguageIsDetected(t *testing.T) {
	l := &live{transcription: &transcription{}, buffer: make([]float32, speech.Rate), processed: speech.Rate / 2}
	if !l.mustDetect() {
		t.Error("an unknown language is not detected")
	}
	l.detected = true
	for i, pass := range []struct {
		language   int
		confidence float32
		again      bool
	}{{1, 0.95, true}, {1, 0.5, true}, {1, 0.95, true}, {2, 0.95, true}, {2, 0.95, false}} {
		before := l.request.options.Language
		l.request.options.Language, l.confidence = pass.language, pass.confidence
		l.countCertain(before)
		if l.mustDetect() != pass.again {
			t.Errorf("after pass %d: mustDetect is %v, want %v", i, !pass.again, pass.again)
		}
	}
	l.processed = len(l.buffer)
	if !l.mustDetect() {
		t.Error("the language is not detected at the end")
	}
}
