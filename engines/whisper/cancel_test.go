package whisper

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// processorTime returns the processor time that this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// A cancellation stops the running computation. The test compares the processor time
// with that of a whole call, because other load on the machine does not change it.
func TestCancel(t *testing.T) {
	m := load(t, starter(), nil)
	data := pcm(longSpeech(t, 90))
	config := func(interim bool) *gatewayv1.TranscriptionConfig {
		return &gatewayv1.TranscriptionConfig{Format: rawFormat(), BeamSize: 8, InterimResults: interim}
	}
	begun := processorTime(t)
	final(t, m, config(false), data)
	whole := processorTime(t) - begun
	for _, interim := range []bool{false, true} {
		begun := processorTime(t)
		cancelled(t, m, config(interim), data)
		if used := processorTime(t) - begun; used > whole*3/10 {
			t.Errorf("a cancelled call took %v of processor time, a whole one %v; interim results %v", used, whole, interim)
		}
	}
	// Both slots are free again.
	if got := final(t, m, &gatewayv1.TranscriptionConfig{Format: rawFormat()}, data[:32000*5]); got.GetText() == "" {
		t.Error("no text after the cancelled calls")
	}
}

// cancelled cancels a call as soon as it computes, and waits until all of its
// computations have ended.
func cancelled(t *testing.T, m *model, cfg *gatewayv1.TranscriptionConfig, data []byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := m.work.Count()
	done := make(chan error, 1)
	go func() {
		_, err := transcribe(ctx, m, cfg, data)
		done <- err
	}()
	for m.work.Count() == before {
		select {
		case err := <-done:
			t.Fatalf("the call ended before it was cancelled: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	timeout := time.After(time.Minute)
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-timeout:
		t.Fatal("the call does not end")
	}
	for range cap(m.slots) {
		select {
		case m.slots <- struct{}{}:
		case <-timeout:
			t.Fatal("a computation does not end")
		}
	}
	for range cap(m.slots) {
		<-m.slots
	}
}

// An abort takes effect between two nodes of a graph, not only after the graph. The
// state must not be used after it.
func TestGraphsAreInterrupted(t *testing.T) {
	m := load(t, starter(), nil)
	s, err := m.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.state.Abort()
	if _, _, err := s.state.DetectLanguage(speechSamples(t), 1, 0); err == nil {
		t.Fatal("an aborted state still computes")
	}
	if err := s.renew(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.state.DetectLanguage(speechSamples(t), 1, 0); err != nil {
		t.Fatal(err)
	}
	// An encoder has dozens of nodes in few graphs.
	if graphs, nodes := s.state.Graphs(), s.state.Nodes(); graphs == 0 || nodes < 10*graphs {
		t.Errorf("%d graphs with %d nodes: interpose.c does not intercept whisper.cpp's computations", graphs, nodes)
	}
}
