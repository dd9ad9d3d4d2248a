package whisper

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// An abandoned computation continues for a while. It must not change anything that
// the caller still uses; the race detector checks that.
func TestAbandonedComputationsChangeNothing(t *testing.T) {
	m := load(t, starter(), map[string]any{"vad_model": vadModel(t), "silence_threshold": 0})
	samples := longSpeech(t, 60)
	for name, compute := range map[string]struct {
		watched func(s *stream) computation
		run     func(s *stream) error
	}{
		"speech": {func(s *stream) computation { return s.vad }, func(s *stream) error {
			found, err := s.speech(samples)
			if len(found) > 0 {
				return errors.New("speech was found in spite of the cancellation")
			}
			return err
		}},
		"language": {func(s *stream) computation { return s.state }, func(s *stream) error {
			_, _, err := s.detect(samples, 0)
			return err
		}},
		"block": {func(s *stream) computation { return s.state }, func(s *stream) error {
			tr := &transcription{model: m, stream: s, emit: func(*gatewayv1.TranscriptionEvent) error { return nil }}
			tr.request.options = m.parameters.options(1)
			_, _, err := tr.block(newBlock(len(samples), 0, true), &clip{samples: samples}, false)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := m.open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			watched := compute.watched(s)
			var watch sync.WaitGroup
			watch.Go(func() {
				defer cancel()
				for watched.Nodes() == 0 && ctx.Err() == nil {
					<-time.After(time.Millisecond)
				}
			})
			err = compute.run(s)
			cancel()
			watch.Wait()
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
			if s.abandoned == nil {
				return // it had ended before the cancellation
			}
			select {
			case <-s.abandoned:
			case <-time.After(time.Minute):
				t.Fatal("the computation does not end")
			}
		})
	}
}

// A closed model opens no stream although it has free slots.
func TestClosedModelOpensNoStream(t *testing.T) {
	m := load(t, starter(), nil)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if s, err := m.open(t.Context()); err == nil {
			s.close()
			t.Fatal("a closed model opens a stream")
		}
	}
	if len(m.slots) != 0 {
		t.Errorf("%d slots are in use", len(m.slots))
	}
}
