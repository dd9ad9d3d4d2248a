package whisper

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// What a pass of whisper-base takes on two cores that do nothing else: for each position of
// the encoder, and for each graph, which is a token or belongs to the encoder. Measured as half
// of the processor time of one thread.
const (
	positionCost = time.Millisecond
	graphCost    = 9 * time.Millisecond
)

// simulation is an arrivals in which time is what passes cost, so that a test finds the same
// delays however busy the machine is. Audio arrives in pieces of 100 ms.
type simulation struct {
	t       *testing.T
	samples []float32
	at      int
	now     time.Duration
	busy    time.Duration // how much of it was passes
	stream  *stream
	state   *whispercpp.State
	graphs  uint64 // of the state, that were counted
	told    []telling
}

// telling is what a stream told.
type telling struct {
	at    time.Duration
	words []string
}

// work adds what was computed since the last call to the time.
func (s *simulation) work() {
	if s.stream.state != s.state {
		s.state, s.graphs = s.stream.state, 0
	}
	if graphs := s.state.Graphs(); graphs > s.graphs {
		cost := time.Duration(s.stream.positions)*positionCost + time.Duration(graphs-s.graphs)*graphCost //nolint:gosec // a few hundred
		s.now, s.busy, s.graphs = s.now+cost, s.busy+cost, graphs
	}
}

func (s *simulation) take(_ context.Context, minimum, maximum int) (samples []float32, ended bool, err error) {
	const piece = speech.Rate / 10
	s.work()
	arrived := speech.Index(s.now) / piece * piece
	if wanted := (s.at + max(1, minimum) + piece - 1) / piece * piece; arrived < wanted {
		arrived = wanted
		s.now = max(s.now, speech.Duration(min(wanted, len(s.samples))))
	}
	from := s.at
	s.at = min(len(s.samples), arrived, from+maximum)
	return s.samples[from:s.at], s.at == len(s.samples), nil
}

// listen transcribes the audio live.
func (s *simulation) listen(m *model) *gatewayv1.Transcript {
	s.t.Helper()
	request, err := m.request(&gatewayv1.TranscriptionConfig{Language: "en", WordTimestamps: true})
	if err != nil {
		s.t.Fatal(err)
	}
	if s.stream, err = m.open(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	defer s.stream.close()
	s.state, s.graphs = s.stream.state, s.stream.state.Graphs()
	var events []*gatewayv1.TranscriptionEvent
	segments := ""
	tell := func(text string) { s.told = append(s.told, telling{s.now, strings.Fields(plainWords(text))}) }
	l := newLive(&transcription{model: m, request: request, stream: s.stream, emit: func(e *gatewayv1.TranscriptionEvent) error {
		s.work()
		events = append(events, e)
		switch {
		case e.GetSegment() != nil:
			segments += e.GetSegment().GetText() + " "
		case e.GetInterim() != nil:
			tell(segments + e.GetInterim().GetCommittedText() + e.GetInterim().GetTentativeText())
		case e.GetFinal() != nil:
			tell(e.GetFinal().GetText())
		}
		return nil
	}})
	if err := l.run(s.t.Context(), s); err != nil {
		s.t.Fatal(err)
	}
	checkStream(s.t, events)
	return events[len(events)-1].GetFinal()
}

// delays returns for each word how long after it was spoken it was told, and not changed after
// that.
func (s *simulation) delays(final *gatewayv1.Transcript) []time.Duration {
	var delays []time.Duration
	for _, segment := range final.GetSegments() {
		for _, w := range segment.GetWords() {
			for _, word := range strings.Fields(plainWords(w.GetText())) {
				place, when := len(delays), s.now
				for _, told := range slices.Backward(s.told) {
					if place >= len(told.words) || told.words[place] != word {
						break
					}
					when = told.at
				}
				delays = append(delays, when-w.GetEnd().AsDuration())
			}
		}
	}
	return delays
}

// Words are told soon after they were spoken, if passes take as long as those of whisper-base.
// MG_LIVE_MODEL is the file of another model; all sentences are then heard.
func TestWhenWordsAreTold(t *testing.T) {
	file, sentences := os.Getenv("MG_LIVE_MODEL"), []string{"0870", "0880", "0890", "0920", "0930"}
	if file == "" {
		file, sentences = modelstest.Path(t, "whisper-tiny.en"), sentences[:2]
	}
	m := load(t, file, nil)
	var delays, rests []time.Duration
	var busy, length time.Duration
	for _, name := range sentences {
		s := &simulation{t: t, samples: readSentence(t, name)}
		final := s.listen(m)
		spoken := speech.Duration(len(s.samples))
		delays, rests = append(delays, s.delays(final)...), append(rests, s.now-spoken)
		busy, length = busy+s.busy, length+spoken
		t.Logf("%s: %q", name, final.GetText())
	}
	if len(delays) < 20 {
		t.Fatalf("only %d words", len(delays))
	}
	slices.Sort(delays)
	slices.Sort(rests)
	median, late := delays[len(delays)/2], delays[len(delays)*19/20]
	t.Logf("%d words told after %.2f s (median), %.2f s (95 %%); final result %.2f s after the end (median), at most %.2f s; passes took %.2f of the time",
		len(delays), median.Seconds(), late.Seconds(), rests[len(rests)/2].Seconds(), rests[len(rests)-1].Seconds(), busy.Seconds()/length.Seconds())
	if median > 1500*time.Millisecond || late > 3*time.Second {
		t.Error("words are told late")
	}
}
