package worker

import (
	"errors"
	"strings"
)

// outputError is the cause of a failure with what the worker printed last. That
// may be anything, also the text of a caller: it is for operators and never sent.
type outputError struct {
	error
	output string
}

// Unwrap returns the cause.
func (e *outputError) Unwrap() error { return e.error }

// withOutput adds printed lines to an error.
func withOutput(err error, lines ...string) error {
	if err == nil {
		err = errors.New("the start returned no error")
	}
	if len(lines) == 0 {
		return err
	}
	short := make([]string, len(lines))
	for i, line := range lines {
		short[i] = shorten(line)
	}
	return &outputError{error: err, output: strings.Join(short, " / ")}
}

// LastOutput returns what a worker printed last before the failure that caused
// err, or "" if that is not known. It is for operators and not part of any message
// to callers.
func LastOutput(err error) string {
	if e := (*outputError)(nil); errors.As(err, &e) {
		return e.output
	}
	return ""
}

// shorten cuts a printed line to a length that fits a log entry.
func shorten(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
