package worker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// lineBytes is the most that is kept of a line.
	lineBytes = 4 << 10
	// linesPerSecond is the most lines of one worker that are logged in a second.
	linesPerSecond = 100
	// tailLines is how many of the last lines are kept to explain a crash.
	tailLines = 20
)

// logSink logs what a worker prints, line by line. It always reads, so that a
// worker never blocks on a full pipe; lines beyond linesPerSecond are counted and
// dropped. It is safe for concurrent use.
type logSink struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	window  time.Time // start of the present second
	logged  int       // lines in it
	dropped int       // lines not logged since the last that was
	tail    []string  // the last lines
	crash   string    // the first line that looks like the cause of a crash
}

func newLogSink(log *slog.Logger) *logSink {
	return &logSink{log: log, now: time.Now}
}

// drain reads r to its end.
func (s *logSink) drain(r io.Reader) {
	reader := bufio.NewReaderSize(r, lineBytes)
	cut := false // the beginning of the present line was logged
	for {
		line, isPrefix, err := reader.ReadLine()
		if !cut && len(line) > 0 {
			s.line(line)
		}
		cut = isPrefix
		if err != nil {
			return
		}
	}
}

// entry is what is logged of a line.
type entry struct {
	level   slog.Level
	message string
	attrs   []slog.Attr
}

func (s *logSink) line(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line = bytes.TrimSpace(bytes.ToValidUTF8(line, []byte("?")))
	if len(line) == 0 {
		return
	}
	if !s.admit() {
		s.remember(string(line[:min(len(line), 200)]))
		return
	}
	e := parseLine(line)
	s.remember(e.message)
	if s.dropped > 0 {
		s.log.Warn("the worker prints too many lines; some were dropped", "dropped_lines", s.dropped)
		s.dropped = 0
	}
	s.log.LogAttrs(context.Background(), e.level, e.message, e.attrs...)
}

// admit reports whether one more line may be logged in the present second.
func (s *logSink) admit() bool {
	if now := s.now(); now.Sub(s.window) >= time.Second {
		s.window, s.logged = now, 0
	}
	if s.logged >= linesPerSecond {
		s.dropped++
		return false
	}
	s.logged++
	return true
}

func (s *logSink) remember(message string) {
	if len(s.tail) == tailLines {
		s.tail = slices.Delete(s.tail, 0, 1)
	}
	s.tail = append(s.tail, message)
	if s.crash == "" && looksFatal(message) {
		s.crash = message
	}
}

// looksFatal reports whether a line is the first one that programs print when they
// crash: a Go traceback, an abort in C or C++, a failed assertion, an error of the
// dynamic linker.
func looksFatal(line string) bool {
	for _, begin := range []string{"panic: ", "fatal error: ", "SIG", "terminate called", "GGML_ASSERT", "Traceback "} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return strings.Contains(line, "error while loading shared libraries") || strings.Contains(line, "Assertion ")
}

// finish logs how many lines were dropped at the end.
func (s *logSink) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped > 0 {
		s.log.Warn("the worker printed too many lines; some were dropped", "dropped_lines", s.dropped)
		s.dropped = 0
	}
}

// lastLine returns the line that explains a crash best: the first one that looks
// fatal, else the last one, or "".
func (s *logSink) lastLine() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crash != "" || len(s.tail) == 0 {
		return s.crash
	}
	return s.tail[len(s.tail)-1]
}

// lastLines returns the last lines, at most n.
func (s *logSink) lastLines(n int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tail[max(0, len(s.tail)-n):])
}

// parseLine reads a line of JSON as hclog and the loggers of our engines write it.
// Other lines come from native libraries and are logged for debugging.
func parseLine(line []byte) entry {
	plain := entry{level: slog.LevelDebug, message: string(line)}
	if looksFatal(plain.message) {
		plain.level = slog.LevelError
	}
	var fields map[string]any
	if line[0] != '{' || json.Unmarshal(line, &fields) != nil {
		return plain
	}
	message, ok := fields["@message"].(string)
	if !ok {
		return plain
	}
	e := entry{message: message, level: slog.LevelDebug}
	if level, ok := fields["@level"].(string); ok {
		e.level = levelNamed(level)
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !strings.HasPrefix(key, "@") {
			e.attrs = append(e.attrs, slog.Any(key, fields[key]))
		}
	}
	return e
}

func levelNamed(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelDebug // hclog's "trace"
	}
	return l
}

// lineWriter splits what a Go engine prints after the handshake, which comes in
// pieces over gRPC, into lines.
type lineWriter struct {
	sink *logSink
	mu   sync.Mutex
	rest []byte
}

// Write implements io.Writer. It never fails.
func (w *lineWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range data {
		switch {
		case b == '\n':
			w.sink.line(w.rest)
			w.rest = w.rest[:0]
		case len(w.rest) < lineBytes:
			w.rest = append(w.rest, b)
		}
	}
	return len(data), nil
}

var _ io.Writer = (*lineWriter)(nil)

// handshakeBytes is the greatest length of a handshake line.
const handshakeBytes = 4 << 10

var errNoHandshake = errors.New("the program printed no handshake")

// readHandshake returns the first line that a worker prints.
func readHandshake(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	text := strings.TrimSpace(string(bytes.ToValidUTF8(line, []byte("?"))))
	if text == "" && err != nil {
		return "", errNoHandshake
	}
	return text, nil
}
