package router

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

// pauseCounter is a lease that counts its pauses.
type pauseCounter struct {
	fakeLease
	pauses, open int
	since        time.Time     // of the open pause
	longest      time.Duration // pause
}

func (l *pauseCounter) Pause(lifecycle.Waiting) func(context.Context) error {
	l.pauses++
	l.open++
	l.since = time.Now()
	return func(context.Context) error {
		l.open--
		l.longest = max(l.longest, time.Since(l.since))
		return nil
	}
}

// timedAudio is live audio with pieces of a size at an interval.
type timedAudio struct {
	interval time.Duration
	size     int
	due      time.Time
	left     int
}

func (a *timedAudio) Next(ctx context.Context) ([]byte, error) {
	if a.left == 0 {
		return nil, io.EOF
	}
	select {
	case <-time.After(time.Until(a.due)):
		a.due = a.due.Add(a.interval)
		a.left--
		return make([]byte, a.size), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A few bytes now and then do not end the silence of a client: its lease stays
// paused, so that others can get it. Slow codecs are not silent.
func TestFewBytesAreSilence(t *testing.T) {
	for name, c := range map[string]struct {
		interval time.Duration
		size     int
		silent   bool
	}{
		"2 bytes each 5 s":      {5 * time.Second, 2, true},
		"2 bytes each 1.9 s":    {1900 * time.Millisecond, 2, true},
		"1 byte each 20 ms":     {20 * time.Millisecond, 1, true},
		"1,000 bytes each 30 s": {30 * time.Second, 1000, true},
		"PCM each 0.1 s":        {100 * time.Millisecond, 3200, false},
		"PCM each 1.9 s":        {1900 * time.Millisecond, 60_000, false},
		"Opus of 6 kbit/s":      {60 * time.Millisecond, 45, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			lease := &pauseCounter{}
			const minutes = 2
			audio := &timedAudio{interval: c.interval, size: c.size, due: time.Now(), left: int(minutes * time.Minute / c.interval)}
			received := make(chan int, 1)
			model := modelFunc(func(_ context.Context, read func() ([]byte, error), _ func(string)) error {
				total := 0
				for {
					piece, err := read()
					if err != nil {
						received <- total
						return err
					}
					total += len(piece)
				}
			})
			if err := sendAudio(t.Context(), model.open(t.Context()), lease, Request{Audio: audio}); err != nil {
				t.Fatal(err)
			}
			if got, want := <-received, int(minutes*time.Minute/c.interval)*c.size; got != want || lease.open != 0 {
				t.Errorf("%s: %d of %d bytes came, %d pauses have not ended", name, got, want, lease.open)
			}
			if silent := lease.longest > time.Minute; silent != c.silent || !silent && lease.pauses > 0 {
				t.Errorf("%s: %d pauses, the longest of %s", name, lease.pauses, lease.longest)
			}
		})
	}
}

// After a long silence a client is heard as soon as it speaks again.
func TestSpeechAfterSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := &pauseCounter{}
		start := time.Now()
		audio := &timedAudio{interval: 100 * time.Millisecond, size: 3200, due: start.Add(time.Hour), left: 20}
		pace := &audioPace{lease: lease, audio: audio}
		for lease.open > 0 || lease.pauses == 0 {
			if _, err := pace.next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start) - time.Hour; took > 200*time.Millisecond {
			t.Errorf("heard after %s", took)
		}
	})
}

// A client that reads a little in time for each message must still read at a
// rate in the long run.
func TestSlowReadersFallBehind(t *testing.T) {
	const limit = time.Minute
	for name, c := range map[string]struct {
		wait  time.Duration // for a message, of each batch
		bytes int           // of a batch
		ends  bool
	}{
		"66 kB each 25 s":   {25 * time.Second, 66_000, true},
		"1 byte each 20 s":  {20 * time.Second, 1, true},
		"100 kB each 10 s":  {10 * time.Second, 100_000, false},
		"a token each 1 ms": {time.Millisecond, 20, false},
		"at once":           {0, 10, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			reader := newSlowReader(&pauseCounter{}, limit, func(*enginev1.RunResponse) error {
				time.Sleep(c.wait)
				return nil
			})
			audio := &gatewayv1.SynthesizeResponse{Audio: make([]byte, c.bytes)}
			resp := &enginev1.RunResponse{Payload: &enginev1.RunResponse_Synthesize{Synthesize: audio}}
			var err error
			for range 30 {
				if err = reader.give(t.Context(), resp); err != nil {
					break
				}
			}
			if ended := errors.Is(err, errSlowReader); ended != c.ends {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// A client that is behind by more than the limit, which can come by a late timer,
// does not get a pause without a limit.
func TestReaderBehindItsLimitTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Second
		stuck := make(chan struct{})
		r := newSlowReader(&pauseCounter{}, limit, func(*enginev1.RunResponse) error { <-stuck; return nil })
		r.behind = arrears(limit + time.Millisecond)
		ended := make(chan error, 1)
		go func() { ended <- r.give(t.Context(), &enginev1.RunResponse{}) }()
		select {
		case <-r.timedOut:
		case <-time.After(time.Hour):
			t.Error("the client still has time")
		}
		close(stuck)
		<-ended
	})
}
