package whisper

import (
	"slices"
	"testing"

	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A pass is skipped if all text is committed and no speech followed.
func TestCanSkip(t *testing.T) {
	const processed = 3 * speech.Rate
	segments := segmentsTo(1e9, 2e9)
	canSkip := func(change func(*live, *clip)) bool {
		l := &live{transcription: &transcription{model: &model{parameters: parameters{settings.Defaults()}}}, processed: processed, lastInput: processed}
		l.buffer = make([]float32, processed+speech.Rate)
		l.text.Update(segments)
		l.text.Update(segments)
		c := &clip{samples: l.buffer}
		change(l, c)
		return l.canSkip(c)
	}
	for name, c := range map[string]struct {
		change func(*live, *clip)
		want   bool
	}{
		"silence":              {func(*live, *clip) {}, true},
		"a sound":              {func(l *live, _ *clip) { l.buffer[processed] = 0.1 }, false},
		"no silence threshold": {func(l *live, _ *clip) { l.model.parameters.SilenceThreshold = 0 }, false},
		"tentative words":      {func(l *live, _ *clip) { l.text.Update(segmentsTo(1e9, 2e9, 3e9)) }, false},
		"no input so far":      {func(l *live, _ *clip) { l.lastInput = 0 }, false},
		"uncertain language":   {func(l *live, _ *clip) { l.request.detect = true }, false},
		"a sound, not speech": {func(l *live, c *clip) {
			l.buffer[processed] = 0.1
			c.cut = &speech.Cut{Samples: make([]float32, processed)}
		}, true},
		"more speech": {func(l *live, c *clip) {
			l.buffer[processed] = 0.1
			c.cut = &speech.Cut{Samples: make([]float32, processed+1)}
		}, false},
	} {
		if got := canSkip(c.change); got != c.want {
			t.Errorf("%s: canSkip is %v", name, got)
		}
	}
}

// A skipped pass computes nothing and emits an interim result. The end of the stream
// is still transcribed.
func TestSkippedPassesComputeNothing(t *testing.T) {
	m := load(t, starter(), nil)
	s, err := m.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	req, err := m.request(&gatewayv1.TranscriptionConfig{Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	var events []*gatewayv1.TranscriptionEvent
	l := &live{transcription: &transcription{model: m, request: req, stream: s, emit: func(e *gatewayv1.TranscriptionEvent) error {
		events = append(events, e)
		return nil
	}}}
	add := func(samples []float32) uint64 {
		before := m.work.Count()
		l.buffer = append(l.buffer, samples...)
		l.received += len(samples)
		if err := l.pass(); err != nil {
			t.Fatal(err)
		}
		return m.work.Count() - before
	}
	if add(speechSamples(t)) == 0 {
		t.Fatal("the first pass computes nothing")
	}
	l.text.Update(l.latest) // as if another pass agreed
	if worked := add(make([]float32, speech.Rate)); worked != 0 || !l.skipped {
		t.Errorf("a pass over new silence computes %d", worked)
	}
	last := events[len(events)-1].GetInterim()
	if got := last.GetAudioProcessed().AsDuration(); got != speech.Duration(l.received) || last.GetTentativeText() != "" {
		t.Errorf("the interim result is %v", last)
	}
	before := m.work.Count()
	if err := l.finish(); err != nil {
		t.Fatal(err)
	}
	if m.work.Count() == before || events[len(events)-1].GetFinal() == nil {
		t.Errorf("the end computes %d and emits %v", m.work.Count()-before, events[len(events)-1])
	}
}

// A detection of the language does not change the transcription after it.
func TestDetectionDoesNotChangeTheText(t *testing.T) {
	m := load(t, multilingual(t), nil)
	all := speechSamples(t)
	first, second := all[:4*speech.Rate], all[4*speech.Rate:9*speech.Rate]
	type result struct {
		text       string
		start, end int64
		tokens     []whispercpp.Token
	}
	run := func(detect, samples []float32, times bool) []result {
		s, err := m.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if detect != nil {
			if _, _, err := s.detect(detect); err != nil {
				t.Fatal(err)
			}
		}
		opts := m.parameters.options(1)
		opts.TokenTimes = times
		var found []result
		if err := s.run(opts, samples, nil, func(f whispercpp.Segment) error {
			found = append(found, result{f.Text, f.Start, f.End, f.Tokens})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	equal := func(a, b result) bool {
		return a.text == b.text && a.start == b.start && a.end == b.end && slices.Equal(a.tokens, b.tokens)
	}
	for _, times := range []bool{false, true} {
		want := run(nil, first, times)
		for name, detect := range map[string][]float32{"the same audio": first, "other audio": second} {
			got := run(detect, first, times)
			if len(want) == 0 || !slices.EqualFunc(got, want, equal) {
				t.Errorf("%s, times %v: after a detection %v, without one %v", name, times, got, want)
			}
		}
	}
}
