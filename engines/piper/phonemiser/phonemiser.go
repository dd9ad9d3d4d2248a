// Package phonemiser makes phonemes of text with libespeak-ng in a process of its
// own, a child of the worker: the library crashes on some texts, and whoever sends
// one must harm no other request. A child that crashed, or hangs, is replaced.
//
// A program that uses the package calls Serve, and nothing else, where IsChild
// tells that it is the child.
package phonemiser

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lexilingo/modelgateway/engines/piper/espeak"
	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
)

// ErrUnreadable is the failure of a text that the library crashes or hangs on.
var ErrUnreadable = errors.New("espeak-ng cannot read the text")

// ErrRefused is the failure of what the library itself refuses, e.g. a voice that
// it does not have.
var ErrRefused = errors.New("espeak-ng refuses")

// patience is how long the child may take for one text: 100 times what the longest
// takes.
const patience = 10 * time.Second

// Phonemiser is a child and what replaces it. It may be used by several
// goroutines at once; their texts take turns.
type Phonemiser struct {
	// turn is held by who talks to the child, and to use child.
	turn  chan struct{}
	child *child // nil: none runs

	patience    time.Duration
	environment []string // of the child, beside the process's own
}

var _ phonemes.Phonemiser = (*Phonemiser)(nil)

// New returns a phonemiser. Its process starts with its first use, and ends with
// this process.
func New() *Phonemiser { return &Phonemiser{turn: make(chan struct{}, 1), patience: patience} }

// CheckVoice tells whether the library has a voice of this name: if not, the
// error is ErrRefused. Others tell that the library cannot be used.
func (p *Phonemiser) CheckVoice(ctx context.Context, voice string) error {
	_, err := p.ask(ctx, request{Voice: voice, Check: true})
	return err
}

// Translate implements phonemes.Phonemiser. A text that the library crashes on is
// tried in a new child, which no earlier text has damaged and which nobody killed
// from outside, and then without its marks. If that fails too, the error is
// ErrUnreadable.
func (p *Phonemiser) Translate(ctx context.Context, voice, text string) ([]phonemes.Translation, error) {
	text = espeak.Clean(text)
	harmless := sanitise(text)
	for attempt, form := range []edited{harmless, harmless, plain(text)} {
		clauses, err := p.ask(ctx, request{Voice: voice, Text: form.text})
		var failed *failure
		if !errors.As(err, &failed) {
			return form.restore(clauses), err
		}
		// Lengths, not the text: users' words are not logged.
		slog.Warn("espeak-ng failed on a text; its process is replaced",
			"voice", voice, "bytes", len(text), "attempt", attempt+1, "error", err)
		if failed.hung && attempt > 0 {
			break // it was waited for long enough
		}
	}
	return nil, ErrUnreadable
}

// ask asks the child, when the requests before are answered. When ctx ends, ask
// returns at once; the child ends what it does, and its answer is dropped.
func (p *Phonemiser) ask(ctx context.Context, r request) ([]phonemes.Translation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type result struct {
		answer response
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-p.turn }()
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

// exchange is called with the turn held.
func (p *Phonemiser) exchange(r request) (response, error) {
	if p.child == nil {
		c, err := startChild(p.patience, p.environment...)
		if err != nil {
			return response{}, err
		}
		p.child = c
	}
	answer, err := p.child.exchange(r, p.patience)
	if err != nil {
		p.child = nil
	}
	return answer, err
}
