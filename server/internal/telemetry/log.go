// Package telemetry makes the server's logs, metrics and traces. None of them
// contains texts or audio of users.
package telemetry

import (
	"io"
	"log/slog"
	"os"

	"github.com/mattn/go-isatty"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// NewLogger returns the server's logger, which writes to w.
func NewLogger(w io.Writer, cfg config.Log) *slog.Logger { return newLogger(w, w, cfg) }

// NewQueuedLogger is NewLogger for a w that may block: the logger does not. flush
// writes the last lines, and is called when nothing is logged any more.
func NewQueuedLogger(w io.Writer, cfg config.Log) (log *slog.Logger, flush func()) {
	q := newLogQueue(w)
	log = newLogger(q, w, cfg)
	q.lost = func(lines int) {
		log.Warn("lines of the log were dropped, because whoever reads it was too slow", "dropped_lines", lines)
	}
	go q.run()
	return log, q.close
}

// newLogger returns a logger that writes to w, and in the format for shown.
func newLogger(w, shown io.Writer, cfg config.Log) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level(cfg.Level), ReplaceAttr: withUnit}
	if cfg.Format == "text" || cfg.Format == "auto" && terminal(shown) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// withUnit writes durations as "1.2s" also in JSON, where slog writes nanoseconds
// without a unit.
func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func level(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo
	}
	return l
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
