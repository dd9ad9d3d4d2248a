package ggml

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"log/slog"
	"runtime/cgo"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Log receives the log of ggml and of a library that uses it. It assembles lines from
// pieces, logs warnings and errors, drops the rest (pages of information for each load),
// and keeps the last errors for the error message of the call that failed.
type Log struct {
	log      *slog.Logger
	library  string
	maxLevel slog.Level
	expected atomic.Bool

	mu      sync.Mutex
	line    strings.Builder
	level   slog.Level
	dropped bool // the current line is dropped
	errors  []string
}

// NewLog returns a Log that writes the library's warnings and errors to log, at a level
// of at most maxLevel.
func NewLog(library string, log *slog.Logger, maxLevel slog.Level) *Log {
	return &Log{library: library, log: log, maxLevel: maxLevel}
}

// Callback returns a ggml_log_callback and its data. They stay valid until the process
// ends, because a library may log at any time.
func (l *Log) Callback() (callback unsafe.Pointer, data uintptr) {
	return unsafe.Pointer(C.mg_ggml_log), uintptr(cgo.NewHandle(l))
}

// maxErrors is the maximum number of lines in an error message.
const maxErrors = 8

//export goGGMLLog
func goGGMLLog(level C.int, text *C.char, handle C.uintptr_t) {
	cgo.Handle(handle).Value().(*Log).write(int(level), C.GoString(text))
}

func (l *Log) write(level int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch level {
	case C.GGML_LOG_LEVEL_CONT:
		if l.dropped {
			return
		}
	case C.GGML_LOG_LEVEL_ERROR:
		l.level = slog.LevelError
	case C.GGML_LOG_LEVEL_WARN:
		l.level = slog.LevelWarn
	default:
		// Logging all of it could make the worker lose important lines.
		l.dropped = true
		return
	}
	l.dropped = false
	l.line.WriteString(text)
	if !strings.HasSuffix(text, "\n") {
		return
	}
	line := strings.TrimSpace(l.line.String())
	l.line.Reset()
	if line == "" {
		return
	}
	if l.level == slog.LevelError {
		l.errors = append(l.errors, line)
		l.errors = l.errors[max(0, len(l.errors)-maxErrors):]
	}
	if l.expected.Load() {
		return
	}
	l.log.Log(context.Background(), min(l.level, l.maxLevel), line, "library", l.library)
}

// Expect sets whether a computation is being aborted. The library logs that as an error;
// while abort is true, nothing is logged. Expect is safe for concurrent use.
func (l *Log) Expect(abort bool) { l.expected.Store(abort) }

// ClearErrors drops the errors so far. It is called before a call whose errors
// LastErrors may return.
func (l *Log) ClearErrors() { _ = l.takeErrors() }

// LastErrors returns an error with the lines that the library logged as errors since
// ClearErrors, or with the text otherwise if there are none.
func (l *Log) LastErrors(otherwise string) error {
	if text := l.takeErrors(); text != "" {
		return errors.New(text)
	}
	return errors.New(otherwise)
}

func (l *Log) takeErrors() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.Join(l.errors, "; ")
	l.errors = nil
	return text
}
