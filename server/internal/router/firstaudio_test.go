package router

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

// dictated is live audio that the test speaks.
type dictated struct{ pieces chan []byte }

func (d dictated) Next(ctx context.Context) ([]byte, error) {
	select {
	case piece, ok := <-d.pieces:
		if !ok {
			return nil, io.EOF
		}
		return piece, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// counting counts who asks for a lease.
func (t *theatre) counting() *int {
	asked := 0
	acquire := t.opts.Acquire
	t.opts.Acquire = func(ctx context.Context, req lifecycle.Request) (Lease, error) {
		asked++
		return acquire(ctx, req)
	}
	return &asked
}

// Who has said nothing yet takes no place of those who speak.
func TestNoLeaseBeforeTheFirstSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newTheatre(listen, nil)
		asked := th.counting()
		audio := dictated{make(chan []byte)}
		sink := &heard{}
		ended := make(chan error, 1)
		go func() {
			_, err := th.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: audio}, sink)
			ended <- err
		}()
		time.Sleep(4 * time.Minute)
		audio.pieces <- nil // says nothing either
		synctest.Wait()
		if *asked != 0 {
			t.Errorf("%d leases were asked for in silence", *asked)
		}
		audio.pieces <- []byte("a")
		audio.pieces <- []byte("b")
		synctest.Wait()
		if *asked != 1 {
			t.Errorf("%d leases were asked for after a sound", *asked)
		}
		close(audio.pieces)
		if err := <-ended; err != nil || sink.text != "ab" || th.kept.Load() != 0 {
			t.Errorf("%q, %v, %d bytes are kept", sink.text, err, th.kept.Load())
		}
	})
}

func TestAStreamThatEndsWithoutSoundIsTheEnginesToAnswer(t *testing.T) {
	th := newTheatre(listen, nil)
	asked := th.counting()
	if _, err := th.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: speech(0, 0)}, &heard{}); err != nil || *asked != 1 {
		t.Errorf("%v after %d leases", err, *asked)
	}
}

// The wait for the first sound is bounded, and its end nobody's but the caller's.
func TestSilenceFromTheStartEnds(t *testing.T) {
	for name, c := range map[string]struct {
		limit, after time.Duration
		leave        bool
		reason       errs.Reason
	}{
		"for ever":           {0, firstAudioWait, false, errs.DeadlineExceeded},
		"beyond a deadline":  {time.Minute, time.Minute, false, errs.DeadlineExceeded},
		"until the call end": {time.Minute, 0, true, errs.Cancelled},
	} {
		synctest.Test(t, func(t *testing.T) {
			th := newTheatre(listen, replies("b"))
			asked := th.counting()
			ctx, cancel := context.WithCancel(t.Context())
			if c.limit > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), c.limit)
			}
			defer cancel()
			if c.leave {
				cancel()
			}
			start := time.Now()
			_, err := th.Run(ctx, Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: dictated{make(chan []byte)}}, &heard{})
			if errs.ReasonOf(err) != c.reason || time.Since(start) != c.after || *asked != 0 {
				t.Errorf("%s: %v after %s and %d leases", name, err, time.Since(start), *asked)
			}
		})
	}
	broken := errors.New("broken")
	th := newTheatre(listen, replies("b"))
	asked := th.counting()
	if _, err := th.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: &spoken{end: broken}}, &heard{}); !errors.Is(err, broken) || *asked != 0 {
		t.Errorf("%v after %d leases", err, *asked)
	}
}

// A probe that falls silent keeps nobody away, and a place that is lost to
// silence is no failure of the model, nor a reason to ask another.
func TestSilenceIsNotTheModelsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ill := true
		th := newTheatre(func(ctx context.Context, hear func() ([]byte, error), say func(string)) error {
			if ill {
				return crash()
			}
			return listen(ctx, hear, say)
		}, replies("b"))
		stage := th.opts.Acquire
		silent := &silenced{done: make(chan struct{})}
		th.opts.Acquire = func(ctx context.Context, req lifecycle.Request) (Lease, error) {
			lease, err := stage(ctx, req)
			if on, ok := lease.(*onStage); ok && req.Live {
				silent.onStage = on
				return silent, nil
			}
			return lease, err
		}
		for range 2 {
			_, _ = th.Run(t.Context(), chat, &heard{})
		}
		time.Sleep(31 * time.Second)
		audio := dictated{make(chan []byte)}
		sink := &heard{}
		ended := make(chan error, 1)
		ill = false
		go func() {
			_, err := th.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: audio}, sink)
			ended <- err
		}()
		audio.pieces <- []byte("a")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if silent.waits != 1 {
			t.Errorf("%d silences are told", silent.waits)
		}
		close(silent.done)
		err := <-ended
		if !errors.Is(err, lifecycle.ErrSilent) || errs.ReasonOf(err) != errs.DeadlineExceeded || sink.text != "a" {
			t.Errorf("%q, %v", sink.text, err)
		}
		if b := th.Breaker("first"); b.GetState() != closed || b.GetConsecutiveFailureCount() != 0 {
			t.Errorf("the breaker: %v", b)
		}
	})
}

// silenced is a lease that is lost to silence when the test says so.
type silenced struct {
	*onStage
	done  chan struct{}
	waits int
}

func (l *silenced) Pause(forAudio bool) func(context.Context) error {
	if forAudio {
		l.waits++
	}
	return l.onStage.Pause(forAudio)
}

func (l *silenced) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-l.done:
		case <-ctx.Done():
		}
		cancel()
	}()
	return &silencedStream{Engine_RunClient: l.play.perform(ctx), done: l.done}, nil
}

// silencedStream fails with the loss of its lease.
type silencedStream struct {
	enginev1.Engine_RunClient
	done chan struct{}
}

func (s *silencedStream) Recv() (*enginev1.RunResponse, error) {
	resp, err := s.Engine_RunClient.Recv()
	select {
	case <-s.done:
		if err != nil {
			err = errs.New(errs.DeadlineExceeded, "silent").WithCause(lifecycle.ErrSilent)
		}
	default:
	}
	return resp, err
}
