package whisper

import (
	"slices"
	"testing"

	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A pass is left out where all that was said is committed and nothing came since.
func TestSettled(t *testing.T) {
	const heard = 3 * speech.Rate
	segments := said(1e9, 2e9)
	settled := func(change func(*live, *clip)) bool {
		l := &live{transcription: &transcription{model: &model{parameters: parameters{settings.Defaults()}}}, passed: heard, sounded: heard}
		l.buffer = make([]float32, heard+speech.Rate)
		l.text.Update(segments)
		l.text.Update(segments)
		c := &clip{samples: l.buffer}
		change(l, c)
		return l.settled(c)
	}
	for name, c := range map[string]struct {
		change func(*live, *clip)
		want   bool
	}{
		"silence":                  {func(*live, *clip) {}, true},
		"a sound":                  {func(l *live, _ *clip) { l.buffer[heard] = 0.1 }, false},
		"a sound, no gate":         {func(l *live, _ *clip) { l.model.parameters.SilenceThreshold = 0 }, false},
		"words that may change":    {func(l *live, _ *clip) { l.text.Update(said(1e9, 2e9, 3e9)) }, false},
		"nothing heard yet":        {func(l *live, _ *clip) { l.sounded = 0 }, false},
		"the language is not sure": {func(l *live, _ *clip) { l.request.detect = true }, false},
		"a sound that is no speech": {func(l *live, c *clip) {
			l.buffer[heard] = 0.1
			c.cut = &speech.Cut{Samples: make([]float32, heard)}
		}, true},
		"more speech": {func(l *live, c *clip) {
			l.buffer[heard] = 0.1
			c.cut = &speech.Cut{Samples: make([]float32, heard+1)}
		}, false},
	} {
		if got := settled(c.change); got != c.want {
			t.Errorf("%s: settled is %v", name, got)
		}
	}
}

// A pass that is left out costs nothing and is told of; the end hears all the same.
func TestPassesOverSilenceCostNothing(t *testing.T) {
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
	hear := func(samples []float32) uint64 {
		before := m.work.Count()
		l.buffer = append(l.buffer, samples...)
		l.heard += len(samples)
		if err := l.pass(); err != nil {
			t.Fatal(err)
		}
		return m.work.Count() - before
	}
	if hear(speechSamples(t)) == 0 {
		t.Fatal("the first pass computes nothing")
	}
	l.text.Update(l.latest) // another pass agrees
	if worked := hear(make([]float32, speech.Rate)); worked != 0 || !l.skipped {
		t.Errorf("a pass over new silence computes %d", worked)
	}
	last := events[len(events)-1].GetInterim()
	if got := last.GetAudioProcessed().AsDuration(); got != speech.Duration(l.heard) || last.GetTentativeText() != "" {
		t.Errorf("it tells %v", last)
	}
	before := m.work.Count()
	if err := l.end(); err != nil {
		t.Fatal(err)
	}
	if m.work.Count() == before || events[len(events)-1].GetFinal() == nil {
		t.Errorf("the end computes %d and tells %v", m.work.Count()-before, events[len(events)-1])
	}
}

// What is transcribed after a detection of its language is what would be without.
func TestDetectionChangesNothing(t *testing.T) {
	m := load(t, multilingual(t), nil)
	all := speechSamples(t)
	first, second := all[:4*speech.Rate], all[4*speech.Rate:9*speech.Rate]
	type said struct {
		text       string
		start, end int64
		tokens     []whispercpp.Token
	}
	run := func(detect, samples []float32, times bool) []said {
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
		var found []said
		if err := s.run(opts, samples, nil, func(f whispercpp.Segment) error {
			found = append(found, said{f.Text, f.Start, f.End, f.Tokens})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	equal := func(a, b said) bool {
		return a.text == b.text && a.start == b.start && a.end == b.end && slices.Equal(a.tokens, b.tokens)
	}
	for _, times := range []bool{false, true} {
		want := run(nil, first, times)
		for name, detect := range map[string][]float32{"the same audio": first, "other audio": second} {
			got := run(detect, first, times)
			if len(want) == 0 || !slices.EqualFunc(got, want, equal) {
				t.Errorf("%s, times %v: after a detection it says %v, without one %v", name, times, got, want)
			}
		}
	}
}
