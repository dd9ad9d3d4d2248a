package worker_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *logBuffer) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *logBuffer) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func TestFloodOfLogLinesIsLimitedAndDoesNotBlock(t *testing.T) {
	for _, kind := range []string{"flood_log", "flood_stdout"} {
		t.Run(kind, func(t *testing.T) {
			log := &logBuffer{}
			h := newHost(t, worker.Options{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			w := launchLoaded(t, h, spec(t, nil))
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			before := w.WorkCount()
			stream := chat(ctx, t, w, `fault: {"fault": "`+kind+`", "fault_after_tokens": 1}`)
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			if _, err := drain(chat(t.Context(), t, w, "hello")); err != nil {
				t.Errorf("a call beside the flood: %v", err)
			}
			if _, err := drain(stream); errs.ReasonOf(err) != errs.DeadlineExceeded {
				t.Errorf("the flood ended with %v", err)
			}
			if done := w.WorkCount() - before; done < 100 {
				t.Errorf("the flood made %d steps only: it was blocked", done)
			}
			w.Stop(2 * time.Second)
			awaitDone(t, w, 3*time.Second)
			text := log.String()
			if lines := strings.Count(text, "\n"); lines > 500 {
				t.Errorf("the flood left %d lines in the log", lines)
			}
			if !strings.Contains(text, "dropped_lines") {
				t.Error("the log does not say that lines were dropped")
			}
		})
	}
}

func TestFloodOfResponsesWaitsForItsReader(t *testing.T) {
	h := newHost(t, worker.Options{})
	w := launchLoaded(t, h, spec(t, nil))
	ctx, cancel := context.WithCancel(t.Context())
	stream := chat(ctx, t, w, `fault: {"fault": "flood_response"}`)
	for range 100 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	// The flood is not read now. Another call still works, and cancelling ends the
	// flood.
	if _, err := drain(chat(t.Context(), t, w, "hello")); err != nil {
		t.Errorf("a call beside the flood: %v", err)
	}
	cancel()
	if _, err := drain(stream); errs.ReasonOf(err) != errs.Cancelled {
		t.Errorf("the flood ended with %v", err)
	}
}

func TestWorkerIsKilledAtItsMemoryLimit(t *testing.T) {
	const limit = 300 << 20
	for name, noCgroups := range map[string]bool{"best": false, "rlimit": true} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, worker.Options{NoCgroups: noCgroups})
			s := spec(t, nil)
			s.MemoryLimitBytes = limit
			w := launchLoaded(t, h, s)
			_, err := invoke(t, w, "allocate", map[string]any{"bytes": 4 << 30})
			if errs.ReasonOf(err) != errs.EngineCrashed {
				t.Errorf("it ended with %v", err)
			}
			awaitDone(t, w, 2*time.Second)
			t.Log(w.ExitError())
		})
	}
}
