package onnx

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// longNode is how large a table square.onnx takes a second and more for.
const longNode = 1300

func squareOf(n int) map[string]Tensor {
	x := make([]int64, n*n)
	for i := range x {
		x[i] = int64(i % 7)
	}
	return map[string]Tensor{"x": Ints(x, int64(n), int64(n))}
}

func (r *runs) leftBehind() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.left
}

// abandon cancels a run of one long node until it came back while the node was
// under way: the first cancels may come before it begins, or, on another machine,
// after its end.
func abandon(t *testing.T, s *Session, table map[string]Tensor) {
	t.Helper()
	for delay := 40 * time.Millisecond; delay < time.Minute; delay *= 2 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(delay, cancel)
		_, err := s.Run(ctx, table)
		left := s.runs.leftBehind()
		cancel()
		if err == nil {
			break // it ends sooner than that
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("the run ended with %v", err)
		}
		if left > 0 {
			return
		}
	}
	t.Fatal("no cancelled run returned before its node's end")
}

// TestCancelInALongNode: Run returns while the node is under way, the next one
// waits for its end, and nothing stays behind.
func TestCancelInALongNode(t *testing.T) {
	s := loadModel(t, "square.onnx")
	table := squareOf(longNode)
	abandon(t, s, table) // what the first one leaves, as the system's threads, stays
	if _, err := s.Run(t.Context(), squareOf(2)); err != nil {
		t.Fatal(err)
	}
	s.runs.under.Wait()
	debug.FreeOSMemory()
	goroutines, memory := runtime.NumGoroutine(), residentBytes(t)
	const times = 8
	for range times {
		abandon(t, s, table)
		// A caller that waits for the place gives up like any other.
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := s.Run(ctx, squareOf(2)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a run that waits ends with %v", err)
		}
		cancel()
		got, err := s.Run(t.Context(), squareOf(2))
		if err != nil || got["y"].Int64[0] != 2 {
			t.Fatalf("the next run computes %v, %v", got, err)
		}
		if n := s.runs.leftBehind(); n != 0 {
			t.Errorf("the next run ran beside %d that were cancelled", n)
		}
	}
	s.runs.under.Wait()
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("of %d goroutines there are %d", goroutines, n)
	}
	debug.FreeOSMemory()
	// Each run takes 13 MiB for its result. The allocator and the race detector keep
	// a few of them, whatever their number.
	if grown := residentBytes(t) - memory; grown > (times-1)*13<<20 {
		t.Errorf("the process grew by %d MiB", grown>>20)
	}
}

// TestCloseWaits: what a cancelled run still uses is not freed.
func TestCloseWaits(t *testing.T) {
	s := loadModel(t, "square.onnx")
	abandon(t, s, squareOf(longNode))
	waiting := make(chan error, 1)
	go func() {
		_, err := s.Run(t.Context(), squareOf(2))
		waiting <- err
	}()
	s.Close()
	if n := s.runs.leftBehind(); n != 0 {
		t.Errorf("the model was freed under %d runs", n)
	}
	if err := <-waiting; err != nil && !errors.Is(err, errClosed) {
		t.Errorf("a run that waited: %v", err)
	}
}
