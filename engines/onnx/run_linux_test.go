package onnx

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// longNode is a table size for which square.onnx takes more than a second.
const longNode = 1300

func squareOf(n int) map[string]Tensor {
	x := make([]int64, n*n)
	for i := range x {
		x[i] = int64(i % 7)
	}
	return map[string]Tensor{"x": Ints(x, int64(n), int64(n))}
}

func (r *runs) abandonedCount() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.abandoned
}

// abandon runs and cancels one long node until a run returns while the node is being
// computed: the first cancellations may come before the node begins.
func abandon(t *testing.T, s *Session, table map[string]Tensor) {
	t.Helper()
	for delay := 40 * time.Millisecond; delay < time.Minute; delay *= 2 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(delay, cancel)
		_, err := s.Run(ctx, table)
		abandoned := s.runs.abandonedCount()
		cancel()
		if err == nil {
			break // the run ended before the cancellation
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if abandoned > 0 {
			return
		}
	}
	t.Fatal("no cancelled run returned before the end of its node")
}

// TestCancelInALongNode checks that Run returns during the node, that the next run waits
// for the end of the node, and that nothing leaks.
func TestCancelInALongNode(t *testing.T) {
	s := loadModel(t, "square.onnx")
	table := squareOf(longNode)
	abandon(t, s, table) // what the first run allocates, such as system threads, is kept
	if _, err := s.Run(t.Context(), squareOf(2)); err != nil {
		t.Fatal(err)
	}
	s.runs.running.Wait()
	debug.FreeOSMemory()
	goroutines, memory := runtime.NumGoroutine(), residentBytes(t)
	const times = 8
	for range times {
		abandon(t, s, table)
		// A caller that waits for the abandoned run returns when its context ends.
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := s.Run(ctx, squareOf(2)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a waiting run: %v", err)
		}
		cancel()
		got, err := s.Run(t.Context(), squareOf(2))
		if err != nil || got["y"].Int64[0] != 2 {
			t.Fatalf("the next run computes %v, %v", got, err)
		}
		if n := s.runs.abandonedCount(); n != 0 {
			t.Errorf("the next run did not wait for %d abandoned ones", n)
		}
	}
	s.runs.running.Wait()
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, want %d", n, goroutines)
	}
	debug.FreeOSMemory()
	// Each run needs 13 MiB for its result. The allocator and the race detector keep a
	// few of them, whatever the number of runs.
	if grown := residentBytes(t) - memory; grown > (times-1)*13<<20 {
		t.Errorf("the process grew by %d MiB", grown>>20)
	}
}

// TestCloseWaits checks that Close does not free what an abandoned run still uses.
func TestCloseWaits(t *testing.T) {
	s := loadModel(t, "square.onnx")
	abandon(t, s, squareOf(longNode))
	waiting := make(chan error, 1)
	go func() {
		_, err := s.Run(t.Context(), squareOf(2))
		waiting <- err
	}()
	s.Close()
	if n := s.runs.abandonedCount(); n != 0 {
		t.Errorf("the model was freed during %d runs", n)
	}
	if err := <-waiting; err != nil && !errors.Is(err, errClosed) {
		t.Errorf("a waiting run: %v", err)
	}
}
