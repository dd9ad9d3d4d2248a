package bodies

import (
	"bytes"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

const (
	// pieceBytes is the most that is read at once ahead of its use, in bytes.
	pieceBytes = 64 << 10
	// pieceOverhead is what a piece needs beside its bytes.
	pieceOverhead = 64
)

// readAhead is an audio stream that is read while the engine is still busy with
// what came before: only reading shows that the client is gone.
type readAhead struct {
	pieces *inflight.Ahead[[]byte]
	begun  bool
	ended  chan struct{} // closed when nothing reads any more
	piece  []byte        // what Read has not returned yet
}

// startAhead prepares to read ahead, from the first Read on.
func (b *body) startAhead() {
	spare := b.pool.Reserve(inflight.Options{Caller: b.caller, Spare: true})
	b.ahead = &readAhead{
		pieces: inflight.NewAhead[[]byte](spare, inflight.MaxAhead, inflight.HangupOf(b.ctx)),
		ended:  make(chan struct{}),
	}
}

// readFromAhead is Read of an audio stream.
func (b *body) readFromAhead(p []byte) (int, error) {
	a := b.ahead
	if !a.begun {
		a.begun = true
		go b.fillAhead()
	}
	if b.isStopped() {
		return 0, ErrStopped
	}
	for len(a.piece) == 0 {
		piece, err := a.pieces.Next(nil)
		if errors.Is(err, inflight.ErrClosed) {
			err = ErrStopped
		}
		if err != nil {
			return 0, err
		}
		a.piece = piece
	}
	n := copy(p, a.piece)
	a.piece = a.piece[n:]
	return n, nil
}

// fillAhead reads the body to its end. If the client is gone before that, it
// cancels the request: what was read ahead is of no use any more.
func (b *body) fillAhead() {
	defer close(b.ahead.ended)
	buf := make([]byte, pieceBytes)
	for {
		n, err := b.readBounded(buf)
		if n > 0 {
			put := b.ahead.pieces.Put(b.ctx.Done(), bytes.Clone(buf[:n]), int64(n)+pieceOverhead)
			if errors.Is(put, inflight.ErrHungUp) {
				b.cancel()
			}
			if err == nil {
				err = put
			}
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, ErrStopped) {
			b.cancel()
		}
		b.ahead.pieces.End(err)
		return
	}
}

// closeAhead ends the reading ahead. A Read under way must end by a deadline.
func (b *body) closeAhead() {
	if b.ahead != nil {
		b.ahead.pieces.Close()
	}
}

// awaitAhead waits until nothing reads the body any more.
func (b *body) awaitAhead() {
	if b.ahead != nil && b.ahead.begun {
		<-b.ahead.ended
	}
}
