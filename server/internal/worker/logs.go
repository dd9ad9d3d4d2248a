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
	// lineBytes is how much of a line is kept.
	lineBytes = 4 << 10
	// linesPerSecond is how many lines of one worker are logged.
	linesPerSecond = 100
	// tailLines is how many of the last lines are kept to explain an end.
	tailLines = 20
)

// logSink takes what a worker prints, line by line, into the gateway's log. It
// always reads on, so that a worker never blocks on a full pipe; what is too
// much is counted and dropped. It is safe for concurrent use.
type logSink struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	window  time.Time // when the present second began
	logged  int       // lines in it
	dropped int       // lines not logged since the last that was
	tail    []string  // the last lines, for people
	crash   string    // the first line that looks like the cause of an end
}

func newLogSink(log *slog.Logger) *logSink {
	return &logSink{log: log, now: time.Now}
}

// drain reads r to its end.
func (s *logSink) drain(r io.Reader) {
	reader := bufio.NewReaderSize(r, lineBytes)
	cut := false // the present line's beginning was taken already
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

// entry is the part of a structured line that has a meaning here.
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
		s.log.Warn("the worker logs too much; lines were dropped", "dropped_lines", s.dropped)
		s.dropped = 0
	}
	s.log.LogAttrs(context.Background(), e.level, e.message, e.attrs...)
}

// admit tells whether the present second has room for one more line.
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

// looksFatal tells the first line of what programs print when they die: a Go
// traceback, an abort in C or C++, a failed assertion, the dynamic linker.
func looksFatal(line string) bool {
	for _, begin := range []string{"panic: ", "fatal error: ", "SIG", "terminate called", "GGML_ASSERT", "Traceback "} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return strings.Contains(line, "error while loading shared libraries") || strings.Contains(line, "Assertion ")
}

// finish tells what was dropped at the end.
func (s *logSink) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped > 0 {
		s.log.Warn("the worker logged too much; lines were dropped", "dropped_lines", s.dropped)
		s.dropped = 0
	}
}

// lastLine returns the line that explains an end best: the one that looks like
// its cause, else the last one; "" if there is none.
func (s *logSink) lastLine() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crash != "" || len(s.tail) == 0 {
		return s.crash
	}
	return s.tail[len(s.tail)-1]
}

// lastLines returns up to n last lines.
func (s *logSink) lastLines(n int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tail[max(0, len(s.tail)-n):])
}

// parseLine reads the JSON that hclog and our engines' loggers write; any
// other line is what a native library prints, and only for debugging.
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

// lineWriter turns what a Go engine prints after the handshake, which comes in
// pieces over gRPC, into lines of the log.
type lineWriter struct {
	sink *logSink
	mu   sync.Mutex
	rest []byte
}

// Write implements io.Writer; it never fails.
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

// handshakeBytes is the most that a handshake line may have.
const handshakeBytes = 4 << 10

var errNoHandshake = errors.New("the program printed no line")

// readHandshake returns the first line that a worker prints.
func readHandshake(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	text := strings.TrimSpace(string(bytes.ToValidUTF8(line, []byte("?"))))
	if text == "" && err != nil {
		return "", errNoHandshake
	}
	return text, nil
}
