package telemetry

import (
	"log"
	"log/slog"
	"strings"
)

// RouteStandardLog sends what libraries write with package log to the given logger,
// at debug level, instead of to standard error as plain text. The client of Gemini
// writes a line there for each stream that is cancelled. It must be called once, at
// the start of the process: that logger is global.
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
