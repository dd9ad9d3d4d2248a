package api

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

func TestSessionWithoutAudioEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession("s", func() {}, "", inflight.NewShares(totalQueueLimit))
		time.Sleep(idleTimeout) // waits for the model
		s.Begin()
		time.Sleep(idleTimeout - time.Second)
		if _, err := s.push(t.Context(), &gatewayv1.PushAudioRequest{Audio: []byte{1}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(idleTimeout) // the engine is slow
		if _, err := s.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The router can stop waiting without ending the session.
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Next(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		start := time.Now()
		_, err := s.Next(t.Context())
		if errs.ReasonOf(err) != errs.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next returned %v", err)
		}
		if waited := time.Since(start); waited != idleTimeout-time.Second {
			t.Errorf("Next returned after %s", waited)
		}
	})
}

// A client whose push was cancelled may use its number again, to say that the audio ends.
func TestLastPieceWithKnownNumberEndsTheAudio(t *testing.T) {
	s := newSession("s", func() {}, "", inflight.NewShares(totalQueueLimit))
	for _, req := range []*gatewayv1.PushAudioRequest{{Audio: []byte{1}}, {Audio: []byte{2}}, {Last: true}, {Last: true}} {
		if next, err := s.push(t.Context(), req); err != nil || next != 1 {
			t.Fatalf("%v: %d, %v", req, next, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if piece, err := s.Next(ctx); err != nil || string(piece) != "\x01" {
		t.Fatalf("%v, %v", piece, err)
	}
	if _, err := s.Next(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("after the last piece: %v", err)
	}
}

func TestEmptyPiecesFillTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession("s", func() {}, "", inflight.NewShares(totalQueueLimit))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var err error
		n := int64(0)
		for ; err == nil && n < 1<<20; n++ {
			_, err = s.push(ctx, &gatewayv1.PushAudioRequest{Sequence: n})
		}
		if !errors.Is(err, context.DeadlineExceeded) || n < 1000 {
			t.Errorf("piece %d: %v", n, err)
		}
	})
}

func TestAllSessionsTogetherAreBounded(t *testing.T) {
	all := inflight.NewShares(totalQueueLimit)
	piece := make([]byte, queueLimit-pieceOverhead)
	var open []*session
	var err error
	for err == nil && len(open) < 100 {
		s := newSession("s", func() {}, "", all)
		open = append(open, s)
		_, err = s.push(t.Context(), &gatewayv1.PushAudioRequest{Audio: piece})
	}
	if errs.ReasonOf(err) != errs.QueueFull || len(open) != totalQueueLimit/queueLimit+1 {
		t.Fatalf("session %d: %v", len(open), err)
	}
	if _, err := open[0].Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused := open[len(open)-1]
	if _, err := refused.push(t.Context(), &gatewayv1.PushAudioRequest{Audio: piece}); err != nil {
		t.Errorf("after audio was read: %v", err)
	}
	for _, s := range open {
		s.end(nil, nil)
	}
	if all.Used() != 0 {
		t.Errorf("%d bytes are left", all.Used())
	}
}

// One peer cannot open all sessions, and gets places back when its sessions end.
func TestPeersShareSessions(t *testing.T) {
	open := newSessions()
	defer open.close()
	from := func(address string) context.Context {
		return peers.With(t.Context(), address)
	}
	wait := func(ctx context.Context, _ *session) { <-ctx.Done() }
	var mine []*session
	for len(mine) <= maxSessions {
		s, err := open.start(from("192.0.2.1"), wait)
		if err != nil {
			if errs.ReasonOf(err) != errs.QueueFull {
				t.Error(err)
			}
			break
		}
		mine = append(mine, s)
		// A session with audio is not replaced.
		if _, err := s.push(t.Context(), &gatewayv1.PushAudioRequest{Audio: []byte{1}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(mine) != maxSessions*3/4 {
		t.Errorf("one peer has %d sessions", len(mine))
	}
	if _, err := open.start(from("192.0.2.2"), wait); err != nil {
		t.Errorf("another peer: %v", err)
	}
	for range 2 { // a session ends once
		open.detach(mine[0], 0, true)
		open.detach(mine[1], 0, true)
	}
	if used := open.places.Used(); used != maxSessions*3/4+1-2 {
		t.Errorf("%d places are taken", used)
	}
	if _, err := open.start(from("192.0.2.1"), wait); err != nil {
		t.Errorf("after its sessions have ended: %v", err)
	}
}

// Of one peer, a new session replaces the oldest that got no audio.
func TestSilentSessionsAreReplaced(t *testing.T) {
	open := newSessions()
	defer open.close()
	ctx := peers.With(t.Context(), "192.0.2.1")
	var all []*session
	for range maxSessions {
		s, err := open.start(ctx, func(ctx context.Context, s *session) {
			<-ctx.Done()
			s.end(nil, errs.From(ctx.Err()))
		})
		if err != nil {
			t.Fatalf("session %d: %v", len(all), err)
		}
		if len(all) == 0 {
			if _, err := s.push(t.Context(), &gatewayv1.PushAudioRequest{Sequence: 1}); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, s)
	}
	for i, ended := range map[int]bool{0: false, 1: true, maxSessions / 4: true, maxSessions/4 + 1: false, maxSessions - 1: false} {
		_, err := open.find(t.Context(), all[i].id)
		if (err != nil) != ended {
			t.Errorf("session %d: %v", i, err)
		}
	}
	delivered, err := all[1].feed(t.Context(), 0, 0, func(*gatewayv1.OpenTranscriptionResponse) error { return nil })
	if !delivered || errs.ReasonOf(err) != errs.QueueFull {
		t.Errorf("a replaced session: %v", err)
	}
	if used := open.places.Used(); used != maxSessions*3/4 {
		t.Errorf("%d places are taken", used)
	}
}

// Before a session without audio, a new one replaces one whose client is gone.
func TestAbandonedSessionsAreReplaced(t *testing.T) {
	open := newSessions()
	defer open.close()
	ctx := peers.With(t.Context(), "192.0.2.1")
	var all []*session
	for range maxSessions*3/4 + 1 {
		s, err := open.start(ctx, func(ctx context.Context, _ *session) { <-ctx.Done() })
		if err != nil {
			t.Fatalf("session %d: %v", len(all), err)
		}
		if all = append(all, s); len(all) == 2 {
			if _, err := s.push(t.Context(), &gatewayv1.PushAudioRequest{Audio: []byte{1}}); err != nil {
				t.Fatal(err)
			}
			open.detach(s, open.attach(s), false)
		}
	}
	for i, ended := range map[int]bool{0: false, 1: true, 2: false} {
		if _, err := open.find(ctx, all[i].id); (err != nil) != ended {
			t.Errorf("session %d: %v", i, err)
		}
	}
}

// The engine gets no audio of a session whose client is gone, until the client is
// back.
func TestSessionWithoutStreamRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := newSessions()
		defer open.close()
		s, err := open.start(t.Context(), func(ctx context.Context, _ *session) { <-ctx.Done() })
		if err != nil {
			t.Fatal(err)
		}
		first := open.attach(s)
		if _, err := s.push(t.Context(), &gatewayv1.PushAudioRequest{Audio: []byte{1}, Last: true}); err != nil {
			t.Fatal(err)
		}
		open.detach(s, first, false)
		next := func() error {
			soon, cancel := context.WithTimeout(t.Context(), reopenTimeout/2)
			defer cancel()
			_, err := s.Next(soon)
			return err
		}
		if err := next(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a stream: %v", err)
		}
		second := open.attach(s)
		open.detach(s, first, false) // late
		if err := next(); err != nil {
			t.Errorf("with a stream again: %v", err)
		}
		if err := next(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
		open.detach(s, second, true)
	})
}

// A key has one share of the sessions, whatever the addresses of its callers are.
func TestSessionsAreSharedByKeys(t *testing.T) {
	r := newSessions()
	r.places = inflight.NewShares(4)
	defer r.close()
	open := func(key, peer string) error {
		ctx := auth.WithCaller(peers.With(t.Context(), peer), &auth.Caller{ID: key})
		s, err := r.start(ctx, func(ctx context.Context, s *session) { <-ctx.Done() })
		if err == nil {
			s.Begin()
			_, err = s.push(ctx, &gatewayv1.PushAudioRequest{Audio: []byte{1}}) // one without audio could be replaced
		}
		return err
	}
	for i, c := range []struct {
		key, peer string
		want      bool
	}{
		{"busy", "192.0.2.1", true}, {"busy", "192.0.2.2", true}, {"busy", "192.0.2.3", true}, {"busy", "192.0.2.4", false}, {"other", "192.0.2.1", true},
	} {
		if err := open(c.key, c.peer); (err == nil) != c.want {
			t.Errorf("session %d: %v", i, err)
		}
	}
}
