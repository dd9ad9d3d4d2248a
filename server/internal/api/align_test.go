package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// Sizes of a sentence's speech: fullQueue must be aligned before the voice goes on, and
// littleSpeech is about what a second of MP3 has.
const (
	fullQueue    = maxUnaligned
	littleSpeech = 2000
)

// wordModels are the models of a router: a voice that says a word a second, each a
// sentence, and a scorer that finds it.
type wordModels struct {
	sizes   []int         // of the words' speech; the last is that of all others
	silent  bool          // the scorer never answers
	slow    time.Duration // how long the scorer takes
	panics  bool          // the scorer
	timed   string        // a word of which the voice gives the times
	asked   int           // of the scorer
	speech  int           // bytes that the voice has sent
	pausing bool          // the voice holds no cores
}

// router returns a router for the models.
func (m *wordModels) router(slowReader time.Duration) *router.Router {
	return router.New(router.Options{
		Acquire: func(_ context.Context, req lifecycle.Request) (router.Lease, error) {
			return &wordLease{models: m, model: req.Model}, nil
		},
		Models:            map[string]router.Model{"voice": {Warning: "A starter."}, "scorer": {}},
		Tasks:             map[string][]string{"synthesize": {"voice"}, "pronunciation": {"scorer"}},
		Observer:          m,
		SlowReaderTimeout: slowReader,
	})
}

func (*wordModels) RequestEnded(_, _, _ string, _ error, _, _ time.Duration)  {}
func (*wordModels) Tokens(string, string, *gatewayv1.Usage)                   {}
func (*wordModels) Audio(string, string, string, time.Duration)               {}
func (*wordModels) BreakerChanged(string, gatewayv1.BreakerState)             {}
func (*wordModels) FellBack(string, string, string, gatewayv1.FallbackReason) {}
func (l *wordLease) Info() lifecycle.LeaseInfo                                { return lifecycle.LeaseInfo{} }
func (l *wordLease) Release(error)                                            {}
func (l *wordLease) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	return &wordStream{lease: l, ctx: ctx}, nil
}

// wordLease is a lease on one of wordModels.
type wordLease struct {
	models *wordModels
	model  string
}

func (l *wordLease) Pause(lifecycle.Waiting) func(context.Context) error {
	l.models.pausing = true
	return func(context.Context) error {
		l.models.pausing = false
		return nil
	}
}

// wordStream is a request to one of wordModels.
type wordStream struct {
	grpc.BidiStreamingClient[enginev1.RunRequest, enginev1.RunResponse]
	lease *wordLease
	ctx   context.Context
	first *enginev1.RunRequest
	sent  int // messages of the answer
}

func (s *wordStream) CloseSend() error { return nil }

func (s *wordStream) Send(m *enginev1.RunRequest) error {
	s.first = m
	return nil
}

func (s *wordStream) Recv() (*enginev1.RunResponse, error) {
	m := s.lease.models
	s.sent++
	if p := s.first.GetPronunciation(); p != nil {
		if s.sent > 1 {
			return nil, io.EOF
		}
		return m.score(s.ctx, p)
	}
	words := strings.Fields(s.first.GetSynthesize().GetText())
	if s.sent > len(words) {
		return nil, io.EOF
	}
	if err := sleep(s.ctx, time.Second); err != nil {
		return nil, err
	}
	word := words[s.sent-1]
	size := m.sizes[min(s.sent, len(m.sizes))-1]
	m.speech += size
	piece := &gatewayv1.SynthesizeResponse{Sentence: word, Audio: make([]byte, size), SampleRateHertz: 1000}
	if word == m.timed {
		piece.Words = []*gatewayv1.SpokenWord{{Text: word, Start: durationpb.New(timeOf(int64(m.speech-size)/2, 1000))}}
	}
	return &enginev1.RunResponse{Payload: &enginev1.RunResponse_Synthesize{Synthesize: piece}}, nil
}

// score answers the scorer's requests.
func (m *wordModels) score(ctx context.Context, p *gatewayv1.PronunciationRequest) (*enginev1.RunResponse, error) {
	m.asked++
	if m.panics {
		panic("a bug")
	}
	if m.silent {
		<-ctx.Done()
	}
	if err := sleep(ctx, m.slow); err != nil {
		return nil, err
	}
	word := found(p.GetReferenceText(), 0, 1)
	return &enginev1.RunResponse{Payload: &enginev1.RunResponse_Pronunciation{
		Pronunciation: &gatewayv1.PronunciationResponse{Words: []*gatewayv1.PronouncedWord{word}},
	}}, nil
}

// sleep waits, until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errs.From(ctx.Err())
	}
}

// client is the stream of a client.
type client struct {
	grpc.ServerStream
	ctx   context.Context
	reads []time.Duration // how long it takes for the first messages
	bytes int
	words int
	last  *gatewayv1.ServedBy
}

func (c *client) Context() context.Context { return c.ctx }

func (c *client) Send(m *gatewayv1.SynthesizeResponse) error {
	if len(c.reads) > 0 {
		time.Sleep(c.reads[0])
		c.reads = c.reads[1:]
	}
	c.bytes, c.words, c.last = c.bytes+len(m.GetAudio()), c.words+len(m.GetWords()), m.GetServedBy()
	return c.ctx.Err()
}

// TestAlignmentDoesNotHoldTheSpeech checks that all speech arrives before the deadline,
// and in bounded time without one, if words are aligned late or never.
func TestAlignmentDoesNotHoldTheSpeech(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		models                      wordModels
		words                       int
		reads                       []time.Duration
		deadline, slowReader, ended time.Duration
		aligned                     int
		why                         string
	}{
		"a deadline":      {models: wordModels{silent: true}, words: 3, deadline: 40 * s, ended: 39 * s, why: "deadline"},
		"a near deadline": {models: wordModels{silent: true}, words: 1, deadline: 2 * s, ended: 1800 * time.Millisecond, why: "deadline"},
		"no deadline":     {models: wordModels{silent: true}, words: 3, slowReader: 30 * s, ended: 13 * s, why: "more than 10s"},
		// The first sentence is known to end after 2 s, and fills the queue. The third
		// has to wait.
		"a full queue": {models: wordModels{silent: true, sizes: []int{fullQueue, littleSpeech}}, words: 20, slowReader: 30 * s, ended: 30 * s, why: "more than 10s"},
		"a full queue and a deadline": {models: wordModels{silent: true, sizes: []int{fullQueue, littleSpeech}}, words: 20, deadline: 29 * s, slowReader: 30 * s,
			ended: 27250 * time.Millisecond, why: "more than 7.25s"},
		// Three times 3 s, and the rest of 10 s.
		"a slow model": {models: wordModels{slow: 4 * s, sizes: []int{fullQueue}}, words: 8, slowReader: 30 * s, ended: 18 * s, aligned: 3, why: "more than 10s"},
		// Two times 3 s, and the rest of a quarter of the time.
		"a slow model and a deadline": {models: wordModels{slow: 4 * s, sizes: []int{fullQueue}}, words: 8, deadline: 28 * s, slowReader: 300 * s,
			ended: 15 * s, aligned: 2, why: "more than 7s"},
		// Waits for the alignment are not the client's: it is 25 s late, of 30.
		"a client that is behind": {models: wordModels{silent: true, sizes: []int{fullQueue, littleSpeech}}, words: 8, reads: []time.Duration{0, 25 * s},
			slowReader: 30 * s, ended: (2 + 25 + 1 + 10 + 5) * s, why: "more than 10s"},
		"all in time": {models: wordModels{slow: s / 2, sizes: []int{fullQueue}}, words: 8, deadline: 20 * s, slowReader: 30 * s, ended: 9 * s, aligned: 8},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.deadline > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
				defer cancel()
			}
			if c.models.sizes == nil {
				c.models.sizes = []int{littleSpeech}
			}
			out, start := &client{ctx: ctx, reads: c.reads}, time.Now()
			service := &Inference{router: c.models.router(c.slowReader), patience: c.slowReader / 3, log: slog.New(slog.DiscardHandler)}
			err := service.Synthesize(aligning(c.words), out)
			if took := time.Since(start); err != nil || took != c.ended || out.bytes != c.models.speech || out.words != c.aligned || c.models.pausing {
				t.Errorf("%s: %v after %s, %d of %d bytes, %d words, paused: %v", name, err, took, out.bytes, c.models.speech, out.words, c.models.pausing)
			}
			if c.models.silent && c.models.asked != 1 {
				t.Errorf("%s: asked %d times", name, c.models.asked)
			}
			w := out.last.GetWarning()
			if whole := w == "A starter."; whole != (c.why == "") || !whole && (!strings.HasPrefix(w, "A starter. Some words have no times") || !strings.Contains(w, c.why)) {
				t.Errorf("%s: the warning %q", name, w)
			}
			synctest.Wait()
		})
	}
}

// aligning is a request for some words with times.
func aligning(words int) *gatewayv1.SynthesizeRequest {
	text := ""
	for i := range words {
		text += fmt.Sprintf("w%d ", i)
	}
	return &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: text}, AlignWords: true}
}

// TestWholeAnswerHasWordsInOrder checks an answer in one message: its words are in
// order, though the voice gives the times of one, and it waits no longer for the others
// than a stream does.
func TestWholeAnswerHasWordsInOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		models wordModels
		ended  time.Duration
		want   string
	}{
		{"aligned", wordModels{sizes: []int{littleSpeech}, timed: "w2"}, 4 * time.Second, "w0 w1 w2 w3"},
		{"larger than the queue", wordModels{sizes: []int{fullQueue / 2}, timed: "w2", slow: time.Second}, 7 * time.Second, "w0 w1 w2 w3"},
		{"not aligned", wordModels{sizes: []int{littleSpeech}, timed: "w2", silent: true}, 14 * time.Second, "w2"},
	} {
		synctest.Test(t, func(t *testing.T) {
			service := &Inference{router: c.models.router(30 * time.Second), patience: 10 * time.Second, log: slog.New(slog.DiscardHandler)}
			start := time.Now()
			resp, err := service.SynthesizeWhole(t.Context(), aligning(4))
			var words []string
			for _, w := range resp.GetWords() {
				words = append(words, w.GetText())
			}
			if took := time.Since(start); err != nil || took != c.ended || len(resp.GetAudio()) != c.models.speech || strings.Join(words, " ") != c.want {
				t.Errorf("%s: %v after %s, %d bytes, %q", c.name, err, took, len(resp.GetAudio()), words)
			}
			if why := resp.GetServedBy().GetWarning(); strings.Contains(why, "more than 10s") != c.models.silent {
				t.Errorf("%s: the warning %q", c.name, why)
			}
		})
	}
}

// TestPanicOfTheAlignmentIsItsFailure checks that a panic ends neither the server nor
// the request, and that the caller does not see its text.
func TestPanicOfTheAlignmentIsItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		models, out, logs := wordModels{sizes: []int{littleSpeech}, panics: true}, &client{ctx: t.Context()}, &bytes.Buffer{}
		service := &Inference{router: models.router(0), log: slog.New(slog.NewTextHandler(logs, nil))}
		if err := service.Synthesize(aligning(3), out); err != nil || out.bytes != models.speech || models.asked != 1 {
			t.Errorf("%v, %d bytes, asked %d times", err, out.bytes, models.asked)
		}
		_, id, _ := strings.Cut(out.last.GetWarning(), "error_id ")
		if id = strings.TrimSuffix(id, "."); id == "" || strings.Contains(out.last.GetWarning(), "a bug") {
			t.Errorf("the warning %q", out.last.GetWarning())
		}
		if said := logs.String(); !strings.Contains(said, "a bug") || !strings.Contains(said, id) {
			t.Errorf("the log says %q", said)
		}
	})
}

// TestUnalignedSpeechIsBounded checks that no more speech is kept for the alignment than
// the limit and a sentence.
func TestUnalignedSpeechIsBounded(t *testing.T) {
	a := &aligner{more: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
	pieces := slices.Repeat([]*gatewayv1.SynthesizeResponse{{Sentence: "a", Audio: make([]byte, maxUnaligned/4), SampleRateHertz: 1000}}, 100)
	a.sentences.text = "a"
	n := 0
	for _, piece := range pieces {
		if !a.hasRoom(maxUnaligned) {
			break
		}
		a.take(piece)
		n++
	}
	if n != 5 {
		t.Errorf("took %d pieces of a quarter of the limit", n)
	}
}
