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

func TestLogKeepsComplaintsOnly(t *testing.T) {
	for _, c := range []struct {
		most slog.Level
		want []string
	}{
		{slog.LevelError, []string{`WARN msg="a warning in pieces" library=llama.cpp`, `ERROR msg="no such tensor" library=llama.cpp`}},
		{slog.LevelDebug, []string{`DEBUG msg="a warning in pieces" library=llama.cpp`, `DEBUG msg="no such tensor" library=llama.cpp`}},
	} {
		var out strings.Builder
		l := NewLog("llama.cpp", slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), c.most)
		write := func(level int, pieces ...string) {
			for _, p := range pieces {
				l.write(level, p)
				level = levelContinued
			}
		}
		write(levelError, "of a call before\n")
		l.Forget()
		out.Reset()
		write(levelDebug, "graph", " debugged\n")
		write(levelInfo, "llama_model_loader: a page", " of information\n")
		write(levelWarn, "a warn", "ing in pieces\n")
		write(levelInfo, "....", ".....\n")
		write(levelError, "no such tensor\n")
		l.Expect(true)
		write(levelError, "aborted, as was asked for\n")
		var lines []string
		for line := range strings.Lines(out.String()) {
			_, said, _ := strings.Cut(line, " level=")
			lines = append(lines, strings.TrimSpace(said))
		}
		if strings.Join(lines, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("logged\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(c.want, "\n"))
		}
		if got := l.Refusal("nothing was said").Error(); got != "no such tensor; aborted, as was asked for" {
			t.Errorf("refused with %q", got)
		}
		if got := l.Refusal("nothing was said").Error(); got != "nothing was said" {
			t.Errorf("refused again with %q", got)
		}
	}
}
