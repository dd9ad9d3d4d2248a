package api

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestSessionWithoutAudioEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession("s", func() {}, &atomic.Int64{})
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

func TestEmptyPiecesFillTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession("s", func() {}, &atomic.Int64{})
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
	var all atomic.Int64
	piece := make([]byte, queueLimit-pieceOverhead)
	var open []*session
	var err error
	for err == nil && len(open) < 100 {
		s := newSession("s", func() {}, &all)
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
	if all.Load() != 0 {
		t.Errorf("%d bytes are left", all.Load())
	}
}
