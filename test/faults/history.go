package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// history records what happened in one lane since its present fault began.
type history struct {
	began time.Time

	mu     sync.Mutex
	events []string
	left   int // out, because there were too many
}

// mostEvents is how many events of one fault are kept.
const mostEvents = 400

func (h *history) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events, h.left = h.events[:0], 0
}

// add records an event.
func (h *history) add(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) >= mostEvents {
		h.events = h.events[1:]
		h.left++
	}
	h.events = append(h.events, fmt.Sprintf("%8.3f ", time.Since(h.began).Seconds())+fmt.Sprintf(format, args...))
}

func (h *history) copy() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := append([]string(nil), h.events...)
	if h.left > 0 {
		events = append([]string{fmt.Sprintf("(%d earlier events are left out)", h.left)}, events...)
	}
	return events
}

// violation is a promise that the gateway did not keep.
type violation struct {
	fault   planned
	what    string
	history []string
	log     []string // of the gateway
}

func (v violation) print(w io.Writer) {
	fmt.Fprintf(w, "VIOLATION (%s): %s\n", v.fault, v.what)
	for _, e := range v.history {
		fmt.Fprintln(w, "   ", e)
	}
	for _, e := range v.log {
		fmt.Fprintln(w, "    log", e)
	}
}
