package whisper

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// listener is a live stream whose audio arrives in pieces of a tenth of a second.
type listener struct {
	*live
	t      *testing.T
	passes int
	events []*gatewayv1.TranscriptionEvent
}

func listen(t *testing.T, m *model, cfg *gatewayv1.TranscriptionConfig) *listener {
	t.Helper()
	s, err := m.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	req, err := m.request(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t}
	l.live = newLive(&transcription{model: m, request: req, stream: s, emit: func(e *gatewayv1.TranscriptionEvent) error {
		l.events = append(l.events, e)
		return nil
	}})
	return l
}

// hear gives samples to the stream and returns how many graphs were computed.
func (l *listener) hear(samples []float32) uint64 {
	l.t.Helper()
	before := l.model.work.Count()
	for piece := range slices.Chunk(samples, listenSamples) {
		tried := l.tried
		l.add(piece)
		if err := l.listen(); err != nil {
			l.t.Fatal(err)
		}
		if l.tried != tried {
			l.passes++
		}
	}
	return l.model.work.Count() - before
}

// end ends the stream and returns its transcript and how many graphs were computed.
func (l *listener) end() (*gatewayv1.Transcript, uint64) {
	l.t.Helper()
	before := l.model.work.Count()
	if err := l.finish(); err != nil {
		l.t.Fatal(err)
	}
	checkStream(l.t, l.events)
	return l.events[len(l.events)-1].GetFinal(), l.model.work.Count() - before
}

// While somebody speaks there is a pass for each step, and one when they pause. After
// that, nothing is computed for silence, nor at the end; interim results still tell how
// much audio came.
func TestSilenceIsNotComputed(t *testing.T) {
	for name, background := range map[string]float32{"digital silence": 0, "a quiet room": 0.0005} {
		l := listen(t, load(t, starter(), nil), &gatewayv1.TranscriptionConfig{Language: "en", Format: rawFormat()})
		random := rand.New(rand.NewPCG(1, 2))
		room := func(seconds int) []float32 {
			samples := make([]float32, seconds*speech.Rate)
			for i := range samples {
				samples[i] = background * float32(random.NormFloat64())
			}
			return samples
		}
		if worked := l.hear(room(4)); worked != 0 {
			t.Errorf("%s: %d graphs before the speech", name, worked)
		}
		l.hear(append(room(4)[:speech.Rate/2], speechSamples(t)[:2*speech.Rate]...))
		l.hear(room(1))
		if l.passes < 4 || l.passes > 7 {
			t.Errorf("%s: %d passes for 2 s of speech and a pause", name, l.passes)
		}
		if worked := l.hear(room(10)); worked != 0 {
			t.Errorf("%s: %d graphs after the speech", name, worked)
		}
		last := l.events[len(l.events)-1].GetInterim()
		if got := last.GetAudioProcessed().AsDuration(); got < speech.Duration(l.received)-time.Second {
			t.Errorf("%s: %v of %v are reported", name, got, speech.Duration(l.received))
		}
		if len(l.buffer) > 3*silenceKept {
			t.Errorf("%s: %d samples of silence are kept", name, len(l.buffer))
		}
		if text, worked := l.end(); worked != 0 || background == 0 && text.GetText() == "" {
			t.Errorf("%s: %d graphs at the end, the text is %q", name, worked, text.GetText())
		}
	}
}

// Speech that no pass has heard is heard at the end.
func TestTheEndIsHeard(t *testing.T) {
	l := listen(t, load(t, starter(), map[string]any{"interim_step_ms": 30_000}), &gatewayv1.TranscriptionConfig{Language: "en", Format: rawFormat()})
	if worked := l.hear(speechSamples(t)[:3*speech.Rate]); worked != 0 {
		t.Fatalf("%d graphs in less than a step", worked)
	}
	if text, worked := l.end(); worked == 0 || text.GetText() == "" {
		t.Errorf("%d graphs, the text is %q", worked, text.GetText())
	}
}

// Passes are rarer the longer the last one took, up to a limit.
func TestLongPassesAreRare(t *testing.T) {
	l := listen(t, load(t, starter(), nil), &gatewayv1.TranscriptionConfig{})
	l.voice.speaking, l.voice.spoken, l.buffer = true, 100*speech.Rate, make([]float32, 10*speech.Rate)
	for took, want := range map[int]int{100: 500, 400: 500, 800: 1000, 1200: 1500, 4000: 2000} { // milliseconds
		l.missed, l.received = took*speech.Rate/1000, want*speech.Rate/1000
		now := l.due()
		l.received--
		if early := l.due(); !now || early {
			t.Errorf("after one of %d ms: a pass after %d ms is %v, before it %v", took, want, now, early)
		}
	}
}

// With a voice activity model, audio in which it finds no speech does not cost a pass.
func TestSameInputIsNotComputed(t *testing.T) {
	m := load(t, starter(), map[string]any{"vad_model": vadModel(t)})
	l := listen(t, m, &gatewayv1.TranscriptionConfig{Language: "en"})
	c := &clip{cut: &speech.Cut{Samples: make([]float32, speech.Rate)}}
	for input, want := range map[int]bool{0: false, speech.Rate - 1: false, speech.Rate: true} {
		if l.lastInput = input; l.sameInput(c) != want {
			t.Errorf("after an input of %d samples: sameInput is %v", input, !want)
		}
	}
	l.request.detect, l.lastInput = true, speech.Rate
	if l.sameInput(c) {
		t.Error("the language is not known, but not detected")
	}
}

// A full buffer is trimmed after a pass without new input, too: it could take no more audio
// otherwise, and the stream would not end.
func TestFullBufferIsTrimmedWithoutNewInput(t *testing.T) {
	l := listen(t, load(t, starter(), map[string]any{"vad_model": vadModel(t)}), &gatewayv1.TranscriptionConfig{Language: "en"})
	l.add(append(speechSamples(t)[:3*speech.Rate], make([]float32, fullSamples-4*speech.Rate)...))
	if err := l.pass(true); err != nil || l.lastInput == 0 {
		t.Fatalf("%v, and the model had %d samples", err, l.lastInput)
	}
	l.add(make([]float32, fullSamples-len(l.buffer)))
	if err := l.pass(true); err != nil || len(l.buffer) >= fullSamples {
		t.Errorf("%v, and %v of audio are kept", err, speech.Duration(len(l.buffer)))
	}
}

// What a run with a longer context leaves in the state is not in the result of the next.
func TestRunsAreIndependentOfTheStatesPast(t *testing.T) {
	m := load(t, starter(), nil)
	samples := speechSamples(t)[:3*speech.Rate]
	tokens := func(contexts ...int) (found []whispercpp.Token) {
		s, err := m.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		req, err := m.request(&gatewayv1.TranscriptionConfig{Language: "en"})
		if err != nil {
			t.Fatal(err)
		}
		for _, req.options.AudioContext = range contexts {
			found = nil
			if err := s.run(req.options, samples, nil, func(segment whispercpp.Segment) error {
				found = append(found, segment.Tokens...)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		return found
	}
	want := tokens(320)
	for _, before := range [][]int{{704, 320}, {0, 320}, {384, 320}, {320, 704, 320}} {
		if got := tokens(before...); !slices.Equal(got, want) {
			t.Errorf("after contexts of %v: %v, in a new state %v", before, got, want)
		}
	}
	if got, want := tokens(320, 384, 704), tokens(704); !slices.Equal(got, want) {
		t.Errorf("after shorter contexts: %v, in a new state %v", got, want)
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
			if _, _, err := s.detect(detect, 0); err != nil {
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
