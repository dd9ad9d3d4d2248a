package router

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

// play is what a model does with one request: hear gives its audio, say sends
// output.
type play func(ctx context.Context, hear func() ([]byte, error), say func(string)) error

// perform opens the stream of a worker that does a play.
func (p play) perform(ctx context.Context) enginev1.Engine_RunClient {
	s := &stage{ctx: ctx, audio: make(chan []byte), out: make(chan *enginev1.RunResponse), ended: make(chan error, 1), left: make(chan struct{})}
	go func() {
		defer close(s.left)
		s.ended <- p(ctx, s.hear, s.say)
	}()
	return s
}

// stage is the stream of one play.
type stage struct {
	grpc.BidiStreamingClient[enginev1.RunRequest, enginev1.RunResponse]
	ctx   context.Context
	audio chan []byte
	out   chan *enginev1.RunResponse
	ended chan error
	left  chan struct{}
}

func (s *stage) Send(m *enginev1.RunRequest) error {
	if m.GetAudio() == nil {
		return nil
	}
	select {
	case s.audio <- m.GetAudio():
		return nil
	case <-s.left:
		return io.EOF
	}
}

func (s *stage) CloseSend() error {
	close(s.audio)
	return nil
}

func (s *stage) Recv() (*enginev1.RunResponse, error) {
	select {
	case m := <-s.out:
		return m, nil
	case <-s.left:
		if err := <-s.ended; err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
}

func (s *stage) hear() ([]byte, error) {
	select {
	case piece, ok := <-s.audio:
		if !ok {
			return nil, io.EOF
		}
		return piece, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func (s *stage) say(text string) {
	select {
	case s.out <- &enginev1.RunResponse{Payload: &enginev1.RunResponse_Chat{Chat: &gatewayv1.StreamChatResponse{Delta: text}}}:
	case <-s.ctx.Done():
	}
}

// onStage is a lease on a model that plays.
type onStage struct {
	lent
	play play
}

func (l *onStage) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	return l.play.perform(ctx), nil
}

// theatre routes the task "chat" to the models "first" and "second".
type theatre struct {
	*Router
	told []string
}

func (t *theatre) RequestEnded(_, _ string, _ error, _, _ time.Duration) {}
func (t *theatre) Tokens(string, *gatewayv1.Usage)                       {}
func (t *theatre) Audio(string, string, time.Duration)                   {}
func (t *theatre) BreakerChanged(string, gatewayv1.BreakerState)         {}
func (t *theatre) FellBack(_, from, to string, r gatewayv1.FallbackReason) {
	t.told = append(t.told, fmt.Sprintf("%s→%s %s", from, to, r))
}

// newTheatre makes one. A nil play is a model for which nobody gets a lease.
func newTheatre(first, second play) *theatre {
	t := &theatre{}
	plays := map[string]play{"first": first, "second": second}
	t.Router = New(Options{
		Acquire: func(ctx context.Context, req lifecycle.Request) (Lease, error) {
			if plays[req.Model] == nil {
				<-ctx.Done()
				return nil, errs.From(ctx.Err())
			}
			return &onStage{play: plays[req.Model]}, nil
		},
		Models:   map[string]Model{"first": {}, "second": {Cloud: true}},
		Tasks:    map[string][]string{"chat": {"first", "second"}},
		Observer: t,
		Breaker:  BreakerOptions{Failures: 2, Open: 30 * time.Second},
	})
	return t
}

// heard is a sink that keeps what it gets; live ones commit to it.
type heard struct {
	text string
	live bool
}

func (h *heard) Begin() {
	if !h.live {
		h.text = ""
	}
}

func (h *heard) Emit(m *enginev1.RunResponse) error {
	h.text += m.GetChat().GetDelta()
	return nil
}

func (h *heard) Committed() bool { return h.live && h.text != "" }

// spoken is live audio.
type spoken struct {
	pieces [][]byte
	end    error
}

func (s *spoken) Next(context.Context) ([]byte, error) {
	if len(s.pieces) == 0 {
		return nil, s.end
	}
	piece := s.pieces[0]
	s.pieces = s.pieces[1:]
	return piece, nil
}

// listen hears all and says it.
func listen(_ context.Context, hear func() ([]byte, error), say func(string)) error {
	for {
		piece, err := hear()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		say(string(piece[0]))
	}
}

// crashAfter hears some pieces and fails.
func crashAfter(pieces int) play {
	return func(_ context.Context, hear func() ([]byte, error), _ func(string)) error {
		for range pieces {
			if _, err := hear(); err != nil {
				return err
			}
		}
		return crash()
	}
}

func replies(text string) play {
	return func(_ context.Context, _ func() ([]byte, error), say func(string)) error {
		say(text)
		return nil
	}
}

func stalls(ctx context.Context, _ func() ([]byte, error), _ func(string)) error {
	<-ctx.Done()
	return ctx.Err()
}

func speech(pieces int, size int) *spoken {
	s := &spoken{end: io.EOF}
	for i := range pieces {
		s.pieces = append(s.pieces, bytes.Repeat([]byte{byte('a' + i)}, size))
	}
	return s
}

func TestLiveAudioIsHeardAgain(t *testing.T) {
	for crashesAfter := range 6 { // 5 is at its end
		th := newTheatre(crashAfter(crashesAfter), listen)
		sink := &heard{}
		served, err := th.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: speech(5, 10)}, sink)
		if err != nil || sink.text != "abcde" || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED {
			t.Errorf("after %d pieces: %v, %q, %v", crashesAfter, served, sink.text, err)
		}
		if n := th.kept.Load(); n != 0 {
			t.Errorf("%d bytes are kept for ever", n)
		}
	}
}

func TestAudioBeyondTheBoundsIsGone(t *testing.T) {
	const mib = 1 << 20
	cases := map[string]struct {
		pieces int
		others int64
		again  bool
	}{
		"within its bound":     {7, 0, true},
		"beyond its bound":     {9, 0, false},
		"others keep too much": {2, allKeptBytes - mib, false},
		"others keep a lot":    {2, allKeptBytes - 3*mib, true},
	}
	for name, c := range cases {
		th := newTheatre(crashAfter(c.pieces), listen)
		th.kept.Store(c.others)
		sink := &heard{}
		_, err := th.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: speech(c.pieces, mib)}, sink)
		if again := err == nil; again != c.again || !again && errs.ReasonOf(err) != errs.EngineCrashed {
			t.Errorf("%s: %q, %v", name, sink.text, err)
		}
		if n := th.kept.Load(); n != c.others {
			t.Errorf("%s: %d bytes are kept, before %d", name, n, c.others)
		}
	}
}

// While a fallback hears what was kept, its own output begins: the rest of the
// kept audio must still reach it.
func TestAFallbackThatAnswersAtOnceHearsAll(t *testing.T) {
	th := newTheatre(crashAfter(5), listen)
	sink := &heard{live: true}
	if _, err := th.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: speech(8, 10)}, sink); err != nil || sink.text != "abcdefgh" {
		t.Errorf("%q, %v", sink.text, err)
	}
}

func TestWhatWasSentIsNotAnsweredTwice(t *testing.T) {
	th := newTheatre(func(_ context.Context, _ func() ([]byte, error), say func(string)) error {
		say("a")
		return crash()
	}, replies("b"))
	sink := &heard{live: true}
	if _, err := th.Run(t.Context(), chat, sink); errs.ReasonOf(err) != errs.EngineCrashed || sink.text != "a" {
		t.Errorf("%q, %v", sink.text, err)
	}
	sink = &heard{} // nothing reaches this caller before the end
	if _, err := th.Run(t.Context(), chat, sink); err != nil || sink.text != "b" {
		t.Errorf("%q, %v", sink.text, err)
	}
}

// Audio that breaks is the caller's fault, whatever its error looks like.
func TestBrokenAudioAsksNoOtherCandidate(t *testing.T) {
	for failure, reason := range map[error]errs.Reason{
		errs.New(errs.DeadlineExceeded, "no audio came"): errs.DeadlineExceeded,
		status.Error(codes.Unavailable, "transport"):     errs.Cancelled,
		errors.New("broken"):                             errs.Internal,
	} {
		th := newTheatre(listen, replies("b"))
		audio := speech(2, 10)
		audio.end = failure
		sink := &heard{}
		_, err := th.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: audio}, sink)
		if errs.ReasonOf(err) != reason || sink.text == "b" || th.Breaker("first").GetConsecutiveFailureCount() != 0 {
			t.Errorf("%v: %q, %v", failure, sink.text, err)
		}
	}
}

// A primary that produces nothing leaves the fallback a share of the time.
func TestASlowPrimaryLeavesTimeForTheFallback(t *testing.T) {
	cases := map[string]struct {
		first, second play
		routing       *gatewayv1.Routing
		deadline      time.Duration
		after         time.Duration
		reason        errs.Reason // 0: the second answers
	}{
		"no lease comes":            {nil, replies("b"), nil, 9 * time.Second, 6 * time.Second, 0},
		"it stalls":                 {stalls, replies("b"), nil, 9 * time.Second, 6 * time.Second, 0},
		"a long deadline":           {stalls, replies("b"), nil, 2 * time.Minute, 110 * time.Second, 0},
		"both are slow":             {nil, nil, nil, 9 * time.Second, 9 * time.Second, errs.DeadlineExceeded},
		"there is no other":         {nil, replies("b"), &gatewayv1.Routing{NoFallback: true}, 9 * time.Second, 9 * time.Second, errs.DeadlineExceeded},
		"the other is in the cloud": {nil, replies("b"), &gatewayv1.Routing{LocalOnly: true}, 9 * time.Second, 9 * time.Second, errs.DeadlineExceeded},
		"it is in the midst of its answer": {func(ctx context.Context, _ func() ([]byte, error), say func(string)) error {
			say("a")
			return stalls(ctx, nil, nil)
		}, replies("b"), nil, 9 * time.Second, 9 * time.Second, errs.DeadlineExceeded},
	}
	for name, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			th := newTheatre(c.first, c.second)
			ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
			defer cancel()
			start := time.Now()
			req := chat
			req.Routing = c.routing
			sink := &heard{}
			served, err := th.Run(ctx, req, sink)
			if errs.ReasonOf(err) != c.reason || time.Since(start) != c.after {
				t.Errorf("%s: after %s: %v", name, time.Since(start), err)
			}
			if c.reason == 0 && (sink.text != "b" || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_DEADLINE) {
				t.Errorf("%s: %q, %v", name, sink.text, served)
			}
			if n := th.Breaker("first").GetConsecutiveFailureCount(); n != 0 {
				t.Errorf("%s: a deadline counts as %d failures", name, n)
			}
		})
	}
}

// Whoever speaks may speak beyond the primary's share.
func TestASpeakerIsNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newTheatre(listen, replies("b"))
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		sink := &heard{}
		if _, err := th.Run(ctx, Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: slowly{time.Now().Add(8 * time.Second)}}, sink); err != nil || sink.text != "z" {
			t.Errorf("%q, %v", sink.text, err)
		}
	})
}

// A clip that is there as a whole is no speaker: a model that takes too long for
// it leaves the rest of the time to the other.
func TestASlowPrimaryLeavesTimeForAClip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newTheatre(stalls, listen)
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		start := time.Now()
		sink := &heard{}
		served, err := th.Run(ctx, Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: &recorded{}}, sink)
		if err != nil || sink.text != "r" || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_DEADLINE || time.Since(start) != 6*time.Second {
			t.Errorf("%q, %v, %v after %s", sink.text, served, err, time.Since(start))
		}
	})
}

// recorded is a clip of one piece.
type recorded struct{ heard bool }

func (r *recorded) Rewind() { r.heard = false }

func (r *recorded) Next(context.Context) ([]byte, error) {
	if r.heard {
		return nil, io.EOF
	}
	r.heard = true
	return []byte("r"), nil
}

// slowly is one piece of audio that comes at a time, and the end.
type slowly struct{ at time.Time }

func (s slowly) Next(ctx context.Context) ([]byte, error) {
	if !time.Now().Before(s.at) {
		return nil, io.EOF
	}
	select {
	case <-time.After(time.Until(s.at)):
		return []byte("z"), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestAnOpenBreakerPassesTheModelOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		th := newTheatre(func(context.Context, func() ([]byte, error), func(string)) error {
			asked++
			return crash()
		}, replies("b"))
		run := func(routing *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
			req := chat
			req.Routing = routing
			return th.Run(t.Context(), req, &heard{})
		}
		for range 2 {
			if served, err := run(nil); err != nil || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED {
				t.Fatal(served, err)
			}
		}
		if served, err := run(nil); err != nil || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_BREAKER_OPEN || asked != 2 {
			t.Errorf("%v, %v, asked %d times", served, err, asked)
		}
		_, err := run(&gatewayv1.Routing{LocalOnly: true})
		if e := errs.From(err); errs.ReasonOf(err) != errs.LoadCooldown || e.RetryAfter() != 30*time.Second || e.Metadata()["cause"] != "ENGINE_CRASHED" {
			t.Errorf("without a fallback: %v", err)
		}
		time.Sleep(31 * time.Second)
		if served, err := run(nil); err != nil || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED || asked != 3 {
			t.Errorf("the probe: %v, %v, asked %d times", served, err, asked)
		}
		want := "first→second FALLBACK_REASON_BREAKER_OPEN"
		if len(th.told) != 4 || !slices.Contains(th.told, want) {
			t.Errorf("told of %v", th.told)
		}
	})
}

// A panic must not leave the breaker waiting for its probe for ever.
func TestAPanicIsNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := true
		th := newTheatre(func(_ context.Context, _ func() ([]byte, error), say func(string)) error {
			if fail {
				return crash()
			}
			say("a")
			return nil
		}, replies("b"))
		for range 2 {
			_, _ = th.Run(t.Context(), chat, &heard{})
		}
		time.Sleep(31 * time.Second)
		fail = false
		func() {
			defer func() { _ = recover() }()
			_, _ = th.Run(t.Context(), chat, panicking{})
		}()
		served, err := th.Run(t.Context(), chat, &heard{})
		if err != nil || served.GetFallback() {
			t.Errorf("%v, %v", served, err)
		}
	})
}

// panicking is a sink that panics before any output.
type panicking struct{}

func (panicking) Begin()                           { panic("begin") }
func (panicking) Emit(*enginev1.RunResponse) error { return nil }
func (panicking) Committed() bool                  { return false }
