package telemetry

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// blockedWriter is a writer whose reader does not read until it is told to.
type blockedWriter struct {
	reads chan struct{}
	mu    sync.Mutex
	text  bytes.Buffer
}

// Write implements io.Writer.
func (w *blockedWriter) Write(p []byte) (int, error) {
	<-w.reads
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// A log that nobody reads must not stop the server, nor fill its memory.
func TestALogWithoutAReaderDoesNotBlock(t *testing.T) {
	w := &blockedWriter{reads: make(chan struct{})}
	log, flush := NewQueuedLogger(w, config.Log{Level: "info", Format: "json"})
	const lines = 20_000 // more than the queue holds
	for i := range lines {
		log.Info("a line", "n", i, "filler", strings.Repeat("x", 100))
	}
	close(w.reads)
	flush()
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.text.String()
	written := strings.Count(text, `"msg":"a line"`)
	if written == 0 || written == lines || len(text) > 2*logQueueBytes+lines {
		t.Errorf("%d of %d lines were written, %d bytes", written, lines, len(text))
	}
	if want := fmt.Sprintf(`"dropped_lines":%d`, lines-written); !strings.Contains(text, want) {
		t.Errorf("the log does not say %s: it ends with %.300q", want, text[max(0, len(text)-300):])
	}
	for i := range written {
		if !strings.Contains(text, fmt.Sprintf(`"n":%d,`, i)) {
			t.Fatalf("line %d is missing, of %d", i, written)
		}
	}
}

// The last lines are written before the server ends.
func TestTheLogIsFlushed(t *testing.T) {
	w := &blockedWriter{reads: make(chan struct{})}
	close(w.reads)
	log, flush := NewQueuedLogger(w, config.Log{Level: "info", Format: "text"})
	log.Info("the last line")
	flush()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !strings.Contains(w.text.String(), "the last line") {
		t.Errorf("%q", w.text.String())
	}
}
