package llamacpp

import (
	"log/slog"
	"strings"
	"testing"
)

// Levels of ggml's log.
const (
	levelDebug = iota + 1
	levelInfo
	levelWarn
	levelError
	levelContinued
)

func TestLogKeepsComplaintsOnly(t *testing.T) {
	var out strings.Builder
	s := &logSink{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	write := func(level int, pieces ...string) {
		for _, p := range pieces {
			s.write(level, p)
			level = levelContinued
		}
	}
	write(levelDebug, "graph", " debugged\n")
	write(levelInfo, "llama_model_loader: a page", " of information\n")
	write(levelWarn, "a warn", "ing in pieces\n")
	write(levelInfo, "....", ".....\n")
	write(levelError, "no such tensor\n")
	s.expected.Store(true)
	write(levelError, "aborted, as was asked for\n")
	var lines []string
	for line := range strings.Lines(out.String()) {
		_, said, _ := strings.Cut(line, " level=")
		lines = append(lines, strings.TrimSpace(said))
	}
	want := []string{`WARN msg="a warning in pieces" library=llama.cpp`, `ERROR msg="no such tensor" library=llama.cpp`}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if got := s.takeComplaints(); !strings.Contains(got, "no such tensor") {
		t.Errorf("complaints %q", got)
	}
}
