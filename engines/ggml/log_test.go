package ggml

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

func TestLogKeepsWarningsAndErrors(t *testing.T) {
	for _, c := range []struct {
		maxLevel slog.Level
		want     []string
	}{
		{slog.LevelError, []string{`WARN msg="a warning in pieces" library=llama.cpp`, `ERROR msg="no such tensor" library=llama.cpp`}},
		{slog.LevelDebug, []string{`DEBUG msg="a warning in pieces" library=llama.cpp`, `DEBUG msg="no such tensor" library=llama.cpp`}},
	} {
		var out strings.Builder
		l := NewLog("llama.cpp", slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), c.maxLevel)
		write := func(level int, pieces ...string) {
			for _, p := range pieces {
				l.write(level, p)
				level = levelContinued
			}
		}
		write(levelError, "of a call before\n")
		l.ClearErrors()
		out.Reset()
		write(levelDebug, "graph", " debugged\n")
		write(levelInfo, "llama_model_loader: a page", " of information\n")
		write(levelWarn, "a warn", "ing in pieces\n")
		write(levelInfo, "....", ".....\n")
		write(levelError, "no such tensor\n")
		l.Expect(true)
		write(levelError, "aborted as requested\n")
		var lines []string
		for line := range strings.Lines(out.String()) {
			_, record, _ := strings.Cut(line, " level=")
			lines = append(lines, strings.TrimSpace(record))
		}
		if strings.Join(lines, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("logged\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(c.want, "\n"))
		}
		if got := l.LastErrors("no reason").Error(); got != "no such tensor; aborted as requested" {
			t.Errorf("the errors are %q", got)
		}
		if got := l.LastErrors("no reason").Error(); got != "no reason" {
			t.Errorf("after that they are %q", got)
		}
	}
}
