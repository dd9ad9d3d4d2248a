package whisper

import (
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// said are segments that end at these times, each of one word.
func said(ends ...time.Duration) []transcript.Segment {
	var segments []transcript.Segment
	start := time.Duration(0)
	for i, end := range ends {
		word := transcript.Word{Text: string(rune('a' + i)), Start: start, End: end}
		segments = append(segments, transcript.Segment{Text: " " + word.Text, Start: start, End: end, Words: []transcript.Word{word}})
		start = end
	}
	return segments
}

// A full buffer loses a second and more, whatever is said of it: passes over a whole
// window are not made for each 20 ms.
func TestFullBuffersAreTrimmed(t *testing.T) {
	const short = 20 * time.Millisecond
	for name, c := range map[string]struct {
		passes [][]transcript.Segment
		final  int
		from   time.Duration // of the rest
	}{
		"a short segment first":          {[][]transcript.Segment{said(short, 10*time.Second, 20*time.Second)}, 2, 10 * time.Second},
		"one that is agreed on":          {[][]transcript.Segment{said(short, 10*time.Second), said(short, 11*time.Second, 20*time.Second)}, 2, 11 * time.Second},
		"short segments only":            {[][]transcript.Segment{said(short, 2*short, 3*short)}, 3, 27 * time.Second},
		"one short segment":              {[][]transcript.Segment{said(short)}, 1, 27 * time.Second},
		"what was said is taken back":    {[][]transcript.Segment{said(short), said(short), nil}, 1, 27 * time.Second},
		"one segment to the buffers end": {[][]transcript.Segment{said(28 * time.Second)}, 1, 28 * time.Second},
	} {
		told := 0
		tr := &transcription{model: &model{parameters: parameters{settings.Defaults()}}, emit: func(*gatewayv1.TranscriptionEvent) error { told++; return nil }}
		l := &live{transcription: tr, buffer: make([]float32, fullSamples)}
		for _, pass := range c.passes {
			l.text.Update(pass)
		}
		if err := l.trim(len(c.passes[len(c.passes)-1]) == 0); err != nil {
			t.Fatal(err)
		}
		if told != c.final || l.start != c.from || len(l.buffer) != fullSamples-speech.Index(c.from) {
			t.Errorf("%s: %d segments are final and the rest is from %v, want %d and %v", name, told, l.start, c.final, c.from)
		}
	}
}

// The language is settled by two passes that are certain of it, and looked at again
// at the end.
func TestLanguageIsSettled(t *testing.T) {
	l := &live{transcription: &transcription{}, buffer: make([]float32, speech.Rate), passed: speech.Rate / 2}
	if !l.detects() {
		t.Error("a language that is not known is not detected")
	}
	l.detected = true
	for i, pass := range []struct {
		language   int
		confidence float32
		goesOn     bool
	}{{1, 0.95, true}, {1, 0.5, true}, {1, 0.95, true}, {2, 0.95, true}, {2, 0.95, false}} {
		before := l.request.options.Language
		l.request.options.Language, l.confidence = pass.language, pass.confidence
		l.note(before)
		if l.detects() != pass.goesOn {
			t.Errorf("after pass %d it is detected again: %v, want %v", i, !pass.goesOn, pass.goesOn)
		}
	}
	l.passed = len(l.buffer)
	if !l.detects() {
		t.Error("it is not detected at the end")
	}
}
