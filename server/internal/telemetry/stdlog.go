package telemetry

import (
	"log"
	"log/slog"
	"strings"
)

// RouteStandardLog sends what libraries write with package log to log at debug
// level, instead of to standard error as plain text: the client of Gemini tells
// there of every stream that a caller gives up. It is for a process's start,
// once: that logger is global.
func RouteStandardLog(to *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(lineLog{to})
}

// lineLog is an io.Writer of log lines.
type lineLog struct{ log *slog.Logger }

// Write implements io.Writer.
func (l lineLog) Write(line []byte) (int, error) {
	l.log.Debug("library", "message", strings.TrimSpace(string(line)))
	return len(line), nil
}
