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

// Log takes the log of ggml and of a library that is built on it. It makes records
// of warnings and errors, which come in pieces of lines, drops the rest (pages of
// information for each load), and keeps the last errors for the failures that
// follow them.
type Log struct {
	log      *slog.Logger
	library  string
	most     slog.Level
	expected atomic.Bool

	mu         sync.Mutex
	line       strings.Builder
	level      slog.Level
	dropped    bool // the line is of no interest
	complaints []string
}

// NewLog returns a log that writes records of the library to log, none above the
// level most.
func NewLog(library string, log *slog.Logger, most slog.Level) *Log {
	return &Log{library: library, log: log, most: most}
}

// Callback returns a ggml_log_callback and its data. They may be used until the
// process ends: a library logs as long as it is there.
func (l *Log) Callback() (callback unsafe.Pointer, data uintptr) {
	return unsafe.Pointer(C.mg_ggml_log), uintptr(cgo.NewHandle(l))
}

// maxComplaints is how many error lines an error message may quote.
const maxComplaints = 8

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
		// A worker that logs that much loses lines that matter.
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
		l.complaints = append(l.complaints, line)
		l.complaints = l.complaints[max(0, len(l.complaints)-maxComplaints):]
	}
	if l.expected.Load() {
		return
	}
	l.log.Log(context.Background(), min(l.level, l.most), line, "library", l.library)
}

// Expect tells whether a computation is being aborted: what the library says of that
// as of an error is none, and no record is made of it. Safe for concurrent use.
func (l *Log) Expect(abort bool) { l.expected.Store(abort) }

// Forget drops the complaints so far, before a call whose own may be asked for.
func (l *Log) Forget() { _ = l.takeComplaints() }

// Refusal returns an error with the library's complaints since Forget, or one that
// says otherwise where it made none.
func (l *Log) Refusal(otherwise string) error {
	if why := l.takeComplaints(); why != "" {
		return errors.New(why)
	}
	return errors.New(otherwise)
}

func (l *Log) takeComplaints() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.Join(l.complaints, "; ")
	l.complaints = nil
	return text
}
