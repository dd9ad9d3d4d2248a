package lifecycle

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// failureOf runs a request on a lease until its stream breaks.
func failureOf(t *testing.T, l *Lease, breaks func()) error {
	t.Helper()
	stream, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	breaks()
	_, err = stream.Recv()
	l.Release(err)
	return err
}

// The streams of a worker that the manager ends break as if it had crashed. The
// requests must fail with the manager's reason.
func TestReasonOfTheManagerWinsOverABrokenStream(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*Manager, *fakeWorker)
		want   errs.Reason
		ended  bool // by the manager
	}{
		"it outgrew the budget":   {func(_ *Manager, w *fakeWorker) { w.bytes.Store(120 * mb) }, errs.MemoryBusy, true},
		"the server is shut down": {func(m *Manager, _ *fakeWorker) { _ = m.Close() }, errs.Draining, true},
		"it made no progress":     {func(*Manager, *fakeWorker) {}, errs.EngineCrashed, true},
		"it crashed":              {func(_ *Manager, w *fakeWorker) { w.crash() }, errs.EngineCrashed, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := &fakeLauncher{}
			m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 80*mb, normal, func(s *ModelSpec) { s.ProgressTimeout = time.Second }))
			lease, err := m.Acquire(t.Context(), Request{Model: "a"})
			if err != nil {
				t.Fatal(err)
			}
			l.mu.Lock()
			l.onStop = func() {
				if c.ended && lease.Cause() == nil {
					t.Error("the worker is told to end before its lease has the reason")
				}
			}
			l.mu.Unlock()
			err = failureOf(t, lease, func() { c.breaks(m, l.worker()) })
			if errs.ReasonOf(err) != c.want || c.ended && !errors.Is(err, worker.ErrEnded) {
				t.Errorf("the request failed with %v", err)
			}
		})
	}
}

// The loss of a lease to silence ends its stream and not its worker.
func TestSilenceEndsTheStreamOnly(t *testing.T) {
	l := &fakeLauncher{}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb, SilenceLimit: time.Millisecond}, spec("a", 80*mb, normal, concurrency(1)))
	lease, err := m.Acquire(t.Context(), Request{Model: "a", Live: true})
	if err != nil {
		t.Fatal(err)
	}
	resume := lease.Pause(ForAudio)
	next := make(chan error, 1)
	err = failureOf(t, lease, func() {
		go func() {
			second, err := m.Acquire(context.Background(), Request{Model: "a"})
			if err == nil {
				second.Release(nil)
			}
			next <- err
		}()
	})
	if !errors.Is(err, ErrSilent) || errors.Is(err, worker.ErrEnded) {
		t.Errorf("the request failed with %v", err)
	}
	if err := resume(t.Context()); !errors.Is(err, ErrSilent) {
		t.Errorf("its pause ended with %v", err)
	}
	if err := <-next; err != nil || l.launches.Load() != 1 {
		t.Errorf("the next request: %v, %d launches", err, l.launches.Load())
	}
}
