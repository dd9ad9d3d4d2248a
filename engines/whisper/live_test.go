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
		word := transcript.Word{Text: string(rune('a' + i)), Start: start, End: end, Confidence: 1}
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
		l := newLive(tr)
		l.buffer = make([]float32, fullSamples)
		for _, pass := range c.passes {
			l.text.Update(pass)
		}
		l.nothing = len(c.passes[len(c.passes)-1]) == 0
		if err := l.trim(); err != nil {
			t.Fatal(err)
		}
		if emitted != c.final || l.start != c.from || len(l.buffer) != fullSamples-speech.Index(c.from) {
			t.Errorf("%s: %d final segments, the rest is from %v; want %d and %v", name, emitted, l.start, c.final, c.from)
		}
	}
}

// Audio that no pass has understood is heard thoroughly before it is removed.
func TestLongAudioMustBeUnderstood(t *testing.T) {
	for name, c := range map[string]struct {
		seconds, heard int // of the buffer
		want           bool
	}{
		"short":                   {7, 0, false},
		"not understood":          {8, 0, true},
		"what is kept was heard":  {8, 1, true},
		"understood in parts":     {8, 2, false},
		"full, understood partly": {28, 27, true},
	} {
		l := newLive(&transcription{model: &model{parameters: parameters{settings.Defaults()}}, received: 100 * speech.Rate})
		l.buffer = make([]float32, c.seconds*speech.Rate)
		l.heard = l.received - len(l.buffer) + c.heard*speech.Rate
		if got := l.mustUnderstand(); got != c.want {
			t.Errorf("%s: mustUnderstand is %v", name, got)
		}
	}
}

// Remarks about the sound are no words of a live stream.
func TestRemarksAreNoWords(t *testing.T) {
	for text, want := range map[string]bool{" [BLANK_AUDIO]": true, "[no audio]": true, "[a] and [b]": false, " Yes [noise]": false, "": false, " Hello.": false} {
		if noWords(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// With a short context, the text of the stream is not given to the model, because it would
// repeat it; a prompt of the caller is, for the first phrase.
func TestTextBeforeTheBuffer(t *testing.T) {
	for name, c := range map[string]struct {
		segments int
		resumed  bool
		short    string
		full     string
	}{
		"the first phrase":    {0, false, "Hello", "Hello"},
		"the second phrase":   {1, false, "", "a"},
		"a resumed stream":    {0, true, "", "Hello"},
		"the phrase after it": {2, true, "", "a b"},
	} {
		l := newLive(&transcription{segments: segmentsTo(1e9, 2e9)[:c.segments]})
		l.request.options.InitialPrompt, l.request.resumed = "Hello", c.resumed
		if short, full := l.textBefore(true), l.textBefore(false); short != c.short || full != c.full {
			t.Errorf("%s: %q with a short context, %q with a full one", name, short, full)
		}
	}
}

// The language is detected until two passes in a row are certain of it, or until much was
// said, however late that begins.
func TestWhenLanguageIsDetected(t *testing.T) {
	l := newLive(&transcription{})
	l.heard = 10 * languageSamples // after a long silence
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
	l.certain, l.voice.all = 0, languageSamples
	if l.mustDetect() {
		t.Error("the language is detected again after a long time")
	}
}
