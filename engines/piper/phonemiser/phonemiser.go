// Package phonemiser translates text into phonemes with libespeak-ng in a separate
// process, a child of the worker. The library crashes on some texts, and such a text
// must not affect other requests. A child that crashes or hangs is replaced.
//
// A program that uses the package must call Serve, and nothing else, if IsChild
// reports true.
package phonemiser

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/piper/espeak"
	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
)

// ErrUnreadable is the error for a text that the library crashes or hangs on.
var ErrUnreadable = errors.New("espeak-ng cannot read the text")

// ErrRefused is the error for a request that the library refuses, such as one for
// an unknown voice.
var ErrRefused = errors.New("espeak-ng refused the request")

// textTimeout is how long the child may take for one text: 100 times the time of the
// longest.
const textTimeout = 10 * time.Second

// Phonemiser runs the child and replaces it after a failure. It is safe for
// concurrent use; it processes one text at a time.
type Phonemiser struct {
	// sem protects the communication with child, and its replacement.
	sem   chan struct{}
	child atomic.Pointer[child] // nil if none is running

	timeout     time.Duration
	environment []string // of the child, in addition to that of the process
}

var _ phonemes.Phonemiser = (*Phonemiser)(nil)

// New returns a Phonemiser. Its child starts on first use and ends with Close or this
// process.
func New() *Phonemiser { return &Phonemiser{sem: make(chan struct{}, 1), timeout: textTimeout} }

// Close ends the child, even if it is busy, and waits for its end. The next use
// starts another one.
func (p *Phonemiser) Close() {
	if c := p.child.Load(); c != nil {
		c.kill()
	}
	p.sem <- struct{}{}
	defer func() { <-p.sem }()
	if c := p.child.Swap(nil); c != nil {
		c.end()
	}
}

// CheckVoice returns ErrRefused if the library has no voice of this name, and
// another error if the library cannot be used.
func (p *Phonemiser) CheckVoice(ctx context.Context, voice string) error {
	_, err := p.ask(ctx, request{Voice: voice, Check: true})
	return err
}

// Translate implements phonemes.Phonemiser. If the child crashes on a text, the text
// is tried again in a new child, because an earlier text may have damaged the old
// one or another process may have killed it, and then without its marks. If that
// fails too, Translate returns ErrUnreadable.
func (p *Phonemiser) Translate(ctx context.Context, voice, text string) ([]phonemes.Translation, error) {
	text = espeak.Clean(text)
	harmless := sanitise(text)
	for attempt, form := range []editedText{harmless, harmless, wordsOnly(text)} {
		clauses, err := p.ask(ctx, request{Voice: voice, Text: form.text})
		var failed *failure
		if !errors.As(err, &failed) {
			return form.restore(clauses), err
		}
		// The text itself must not be logged.
		slog.Warn("espeak-ng failed on a text; restarting its process",
			"voice", voice, "bytes", len(text), "attempt", attempt+1, "error", err)
		if failed.hung && attempt > 0 {
			break // do not wait a third time
		}
	}
	return nil, ErrUnreadable
}

// ask sends a request to the child after the requests before it are answered. When
// ctx ends, ask returns at once; the child finishes the text, and its answer is
// dropped.
func (p *Phonemiser) ask(ctx context.Context, r request) ([]phonemes.Translation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p.sem <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type result struct {
		answer response
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-p.sem }()
		answer, err := p.exchange(r)
		done <- result{answer, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		switch {
		case r.err != nil:
			return nil, r.err
		case r.answer.Error != "":
			return nil, errors.Join(ErrRefused, errors.New(r.answer.Error))
		}
		return r.answer.Clauses, nil
	}
}

// exchange sends a request to the child and starts one if there is none. The caller
// must hold sem.
func (p *Phonemiser) exchange(r request) (response, error) {
	c := p.child.Load()
	if c == nil {
		var err error
		if c, err = startChild(p.timeout, p.environment...); err != nil {
			return response{}, err
		}
		p.child.Store(c)
	}
	answer, err := c.exchange(r, p.timeout)
	if err != nil {
		p.child.Store(nil)
	}
	return answer, err
}
