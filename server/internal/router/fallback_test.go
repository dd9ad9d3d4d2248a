package router

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestFallbackReadsLiveAudioFromItsStart(t *testing.T) {
	for crashesAfter := range 6 { // after 5 pieces the audio ends
		tm := newTwoModels(crashAfterReading(crashesAfter), echoAudio)
		sink := &textSink{}
		served, err := tm.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: liveAudio(5, 10)}, sink)
		if err != nil || sink.text != "abcde" || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED {
			t.Errorf("after %d pieces: %v, %q, %v", crashesAfter, served, sink.text, err)
		}
		if n := tm.kept.Load(); n != 0 {
			t.Errorf("%d bytes are still kept", n)
		}
	}
}

func TestLiveAudioIsKeptWithinLimits(t *testing.T) {
	const mib = 1 << 20
	cases := map[string]struct {
		pieces int
		others int64
		again  bool
	}{
		"within its limit":     {7, 0, true},
		"beyond its limit":     {9, 0, false},
		"others keep too much": {2, allKeptBytes - mib, false},
		"others keep a lot":    {2, allKeptBytes - 3*mib, true},
	}
	for name, c := range cases {
		tm := newTwoModels(crashAfterReading(c.pieces), echoAudio)
		tm.kept.Store(c.others)
		sink := &textSink{}
		_, err := tm.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: liveAudio(c.pieces, mib)}, sink)
		if again := err == nil; again != c.again || !again && errs.ReasonOf(err) != errs.EngineCrashed {
			t.Errorf("%s: %q, %v", name, sink.text, err)
		}
		if n := tm.kept.Load(); n != c.others {
			t.Errorf("%s: %d bytes are kept, before %d", name, n, c.others)
		}
	}
}

// A fallback that has output before it has read all kept audio must still get the
// rest.
func TestFallbackThatAnswersAtOnceReadsAllAudio(t *testing.T) {
	tm := newTwoModels(crashAfterReading(5), echoAudio)
	sink := &textSink{live: true}
	if _, err := tm.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: liveAudio(8, 10)}, sink); err != nil || sink.text != "abcdefgh" {
		t.Errorf("%q, %v", sink.text, err)
	}
}

func TestNoFallbackAfterOutputReachedTheCaller(t *testing.T) {
	tm := newTwoModels(func(_ context.Context, _ func() ([]byte, error), write func(string)) error {
		write("a")
		return crash()
	}, replying("b"))
	sink := &textSink{live: true}
	if _, err := tm.Run(t.Context(), chat, sink); errs.ReasonOf(err) != errs.EngineCrashed || sink.text != "a" {
		t.Errorf("%q, %v", sink.text, err)
	}
	sink = &textSink{} // nothing reaches the caller before the end
	if _, err := tm.Run(t.Context(), chat, sink); err != nil || sink.text != "b" {
		t.Errorf("%q, %v", sink.text, err)
	}
}

// Broken audio is a failure of the client, whatever its error is.
func TestNoFallbackForBrokenAudio(t *testing.T) {
	for failure, reason := range map[error]errs.Reason{
		errs.New(errs.DeadlineExceeded, "no audio came"): errs.DeadlineExceeded,
		status.Error(codes.Unavailable, "transport"):     errs.Cancelled,
		errors.New("broken"):                             errs.Internal,
	} {
		tm := newTwoModels(echoAudio, replying("b"))
		audio := liveAudio(2, 10)
		audio.end = failure
		sink := &textSink{}
		_, err := tm.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: audio}, sink)
		if errs.ReasonOf(err) != reason || sink.text == "b" || tm.Breaker("first").GetConsecutiveFailureCount() != 0 {
			t.Errorf("%v: %q, %v", failure, sink.text, err)
		}
	}
}

// A primary without output leaves the fallback a share of the time.
func TestSlowPrimaryLeavesTimeForTheFallback(t *testing.T) {
	cases := map[string]struct {
		first, second modelFunc
		routing       *gatewayv1.Routing
		deadline      time.Duration
		after         time.Duration
		reason        errs.Reason // 0: the second model answers
	}{
		"no lease comes":               {nil, replying("b"), nil, 9 * time.Second, 6 * time.Second, 0},
		"it blocks":                    {blocking, replying("b"), nil, 9 * time.Second, 6 * time.Second, 0},
		"a long deadline":              {blocking, replying("b"), nil, 2 * time.Minute, 110 * time.Second, 0},
		"both are slow":                {nil, nil, nil, 9 * time.Second, 9 * time.Second, errs.DeadlineExceeded},
		"there is no fallback":         {nil, replying("b"), &gatewayv1.Routing{NoFallback: true}, 9 * time.Second, 9 * time.Second, errs.DeadlineExceeded},
		"the fallback is in the cloud": {nil, replying("b"), &gatewayv1.Routing{LocalOnly: true}, 9 * time.Second, 9 * time.Second, errs.DeadlineExceeded},
		"it has had output": {func(ctx context.Context, _ func() ([]byte, error), write func(string)) error {
			write("a")
			return blocking(ctx, nil, nil)
		}, replying("b"), nil, 9 * time.Second, 9 * time.Second, errs.DeadlineExceeded},
	}
	for name, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			tm := newTwoModels(c.first, c.second)
			ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
			defer cancel()
			start := time.Now()
			req := chat
			req.Routing = c.routing
			sink := &textSink{}
			served, err := tm.Run(ctx, req, sink)
			if errs.ReasonOf(err) != c.reason || time.Since(start) != c.after {
				t.Errorf("%s: after %s: %v", name, time.Since(start), err)
			}
			if c.reason == 0 && (sink.text != "b" || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_DEADLINE) {
				t.Errorf("%s: %q, %v", name, sink.text, served)
			}
			if n := tm.Breaker("first").GetConsecutiveFailureCount(); n != 0 {
				t.Errorf("%s: a deadline counts as %d failures", name, n)
			}
		})
	}
}

// Live audio may take longer than the share of the primary.
func TestLiveAudioHasNoOutputTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tm := newTwoModels(echoAudio, replying("b"))
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		sink := &textSink{}
		if _, err := tm.Run(ctx, Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: delayedAudio{time.Now().Add(8 * time.Second)}}, sink); err != nil || sink.text != "z" {
			t.Errorf("%q, %v", sink.text, err)
		}
	})
}

// Complete audio is not live: a model that takes too long for it leaves the rest
// of the time to the fallback.
func TestSlowPrimaryLeavesTimeWithCompleteAudio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tm := newTwoModels(blocking, echoAudio)
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		start := time.Now()
		sink := &textSink{}
		served, err := tm.Run(ctx, Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: &completeAudio{}}, sink)
		if err != nil || sink.text != "r" || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_DEADLINE || time.Since(start) != 6*time.Second {
			t.Errorf("%q, %v, %v after %s", sink.text, served, err, time.Since(start))
		}
	})
}

// completeAudio is a clip of one piece.
type completeAudio struct{ read bool }

func (r *completeAudio) Rewind() { r.read = false }

func (r *completeAudio) Next(context.Context) ([]byte, error) {
	if r.read {
		return nil, io.EOF
	}
	r.read = true
	return []byte("r"), nil
}

// delayedAudio is one piece of live audio that comes at a given time, and the end.
type delayedAudio struct{ at time.Time }

func (s delayedAudio) Next(ctx context.Context) ([]byte, error) {
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

func TestOpenBreakerSkipsTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		tm := newTwoModels(func(context.Context, func() ([]byte, error), func(string)) error {
			runs++
			return crash()
		}, replying("b"))
		run := func(routing *gatewayv1.Routing) (*gatewayv1.ServedBy, error) {
			req := chat
			req.Routing = routing
			return tm.Run(t.Context(), req, &textSink{})
		}
		for range 2 {
			if served, err := run(nil); err != nil || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED {
				t.Fatal(served, err)
			}
		}
		if served, err := run(nil); err != nil || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_BREAKER_OPEN || runs != 2 {
			t.Errorf("%v, %v, %d requests", served, err, runs)
		}
		_, err := run(&gatewayv1.Routing{LocalOnly: true})
		if e := errs.From(err); errs.ReasonOf(err) != errs.LoadCooldown || e.RetryAfter() != 30*time.Second || e.Metadata()["cause"] != "ENGINE_CRASHED" {
			t.Errorf("without a fallback: %v", err)
		}
		time.Sleep(31 * time.Second)
		if served, err := run(nil); err != nil || served.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED || runs != 3 {
			t.Errorf("the probe: %v, %v, %d requests", served, err, runs)
		}
		want := "first→second FALLBACK_REASON_BREAKER_OPEN"
		if len(tm.fallbacks) != 4 || !slices.Contains(tm.fallbacks, want) {
			t.Errorf("fallbacks %v", tm.fallbacks)
		}
	})
}

// A panic must not leave the breaker waiting for the result of its probe.
func TestPanicInTheSinkDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := true
		tm := newTwoModels(func(_ context.Context, _ func() ([]byte, error), write func(string)) error {
			if fail {
				return crash()
			}
			write("a")
			return nil
		}, replying("b"))
		for range 2 {
			_, _ = tm.Run(t.Context(), chat, &textSink{})
		}
		time.Sleep(31 * time.Second)
		fail = false
		func() {
			defer func() { _ = recover() }()
			_, _ = tm.Run(t.Context(), chat, panicking{})
		}()
		served, err := tm.Run(t.Context(), chat, &textSink{})
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
