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

// channelAudio is live audio that the test sends.
type channelAudio struct{ pieces chan []byte }

func (d channelAudio) Next(ctx context.Context) ([]byte, error) {
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

// countAcquires counts the calls of Acquire.
func (t *twoModels) countAcquires() *int {
	acquires := 0
	acquire := t.opts.Acquire
	t.opts.Acquire = func(ctx context.Context, req lifecycle.Request) (Lease, error) {
		acquires++
		return acquire(ctx, req)
	}
	return &acquires
}

// A request takes no lease before its first audio: others could use it.
func TestNoLeaseBeforeTheFirstAudio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tm := newTwoModels(echoAudio, nil)
		acquires := tm.countAcquires()
		audio := channelAudio{make(chan []byte)}
		sink := &textSink{}
		ended := make(chan error, 1)
		go func() {
			_, err := tm.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: audio}, sink)
			ended <- err
		}()
		time.Sleep(4 * time.Minute)
		audio.pieces <- nil // an empty piece is no audio
		synctest.Wait()
		if *acquires != 0 {
			t.Errorf("%d leases before the first audio", *acquires)
		}
		audio.pieces <- []byte("a")
		audio.pieces <- []byte("b")
		synctest.Wait()
		if *acquires != 1 {
			t.Errorf("%d leases after the first audio", *acquires)
		}
		close(audio.pieces)
		if err := <-ended; err != nil || sink.text != "ab" || tm.kept.Load() != 0 {
			t.Errorf("%q, %v, %d bytes are kept", sink.text, err, tm.kept.Load())
		}
	})
}

// A request that has no audio yet ends when the server shuts down. The client may
// try another server.
func TestWaitForTheFirstAudioEndsAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tm := newTwoModels(echoAudio, replying("b"))
		draining, drain := context.WithCancel(t.Context())
		tm.opts.Draining = draining
		acquires := tm.countAcquires()
		time.AfterFunc(time.Minute, drain)
		start := time.Now()
		for range 2 { // the second begins when the server has begun to shut down
			_, err := tm.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: channelAudio{make(chan []byte)}}, &textSink{})
			if errs.ReasonOf(err) != errs.Draining || errs.From(err).RetryAfter() == 0 || time.Since(start) != time.Minute || *acquires != 0 {
				t.Errorf("%v after %s and %d leases", err, time.Since(start), *acquires)
			}
		}
	})
}

func TestEmptyLiveAudioReachesTheEngine(t *testing.T) {
	tm := newTwoModels(echoAudio, nil)
	acquires := tm.countAcquires()
	if _, err := tm.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: liveAudio(0, 0)}, &textSink{}); err != nil || *acquires != 1 {
		t.Errorf("%v after %d leases", err, *acquires)
	}
}

// The wait for the first audio is limited. Its end is a failure of the client.
func TestWaitForTheFirstAudioIsLimited(t *testing.T) {
	for name, c := range map[string]struct {
		limit, after time.Duration
		cancel       bool
		reason       errs.Reason
	}{
		"no deadline":      {0, firstAudioTimeout, false, errs.DeadlineExceeded},
		"a deadline":       {time.Minute, time.Minute, false, errs.DeadlineExceeded},
		"a cancelled call": {time.Minute, 0, true, errs.Cancelled},
	} {
		synctest.Test(t, func(t *testing.T) {
			tm := newTwoModels(echoAudio, replying("b"))
			acquires := tm.countAcquires()
			ctx, cancel := context.WithCancel(t.Context())
			if c.limit > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), c.limit)
			}
			defer cancel()
			if c.cancel {
				cancel()
			}
			start := time.Now()
			_, err := tm.Run(ctx, Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: channelAudio{make(chan []byte)}}, &textSink{})
			if errs.ReasonOf(err) != c.reason || time.Since(start) != c.after || *acquires != 0 {
				t.Errorf("%s: %v after %s and %d leases", name, err, time.Since(start), *acquires)
			}
		})
	}
	broken := errors.New("broken")
	tm := newTwoModels(echoAudio, replying("b"))
	acquires := tm.countAcquires()
	if _, err := tm.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: &fakeAudio{end: broken}}, &textSink{}); !errors.Is(err, broken) || *acquires != 0 {
		t.Errorf("%v after %d leases", err, *acquires)
	}
}

// A lease that is lost to silence is no failure of the model, and no reason to try
// another. A probe that becomes silent does not keep other requests away.
func TestSilenceIsNotAModelFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		tm := newTwoModels(func(ctx context.Context, read func() ([]byte, error), write func(string)) error {
			if broken {
				return crash()
			}
			return echoAudio(ctx, read, write)
		}, replying("b"))
		acquire := tm.opts.Acquire
		silent := &silentLease{done: make(chan struct{})}
		tm.opts.Acquire = func(ctx context.Context, req lifecycle.Request) (Lease, error) {
			lease, err := acquire(ctx, req)
			if inner, ok := lease.(*modelLease); ok && req.Live {
				silent.modelLease = inner
				return silent, nil
			}
			return lease, err
		}
		for range 2 {
			_, _ = tm.Run(t.Context(), chat, &textSink{})
		}
		time.Sleep(31 * time.Second)
		audio := channelAudio{make(chan []byte)}
		sink := &textSink{}
		ended := make(chan error, 1)
		broken = false
		go func() {
			_, err := tm.Run(t.Context(), Request{Task: "chat", First: &enginev1.RunRequest{}, Audio: audio}, sink)
			ended <- err
		}()
		audio.pieces <- []byte("a")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if silent.waits != 1 {
			t.Errorf("%d pauses for audio", silent.waits)
		}
		close(silent.done)
		err := <-ended
		if !errors.Is(err, lifecycle.ErrSilent) || errs.ReasonOf(err) != errs.DeadlineExceeded || sink.text != "a" {
			t.Errorf("%q, %v", sink.text, err)
		}
		if b := tm.Breaker("first"); b.GetState() != closed || b.GetConsecutiveFailureCount() != 0 {
			t.Errorf("the breaker: %v", b)
		}
	})
}

// silentLease is a lease that is lost to silence when done is closed.
type silentLease struct {
	*modelLease
	done  chan struct{}
	waits int
}

func (l *silentLease) Pause(why lifecycle.Waiting) func(context.Context) error {
	if why == lifecycle.ForAudio {
		l.waits++
	}
	return l.modelLease.Pause(why)
}

func (l *silentLease) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-l.done:
		case <-ctx.Done():
		}
		cancel()
	}()
	return &lostStream{Engine_RunClient: l.model.open(ctx), done: l.done}, nil
}

// lostStream is a stream that fails with the loss of its lease.
type lostStream struct {
	enginev1.Engine_RunClient
	done chan struct{}
}

func (s *lostStream) Recv() (*enginev1.RunResponse, error) {
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
