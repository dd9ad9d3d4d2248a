package router

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// firstAudioTimeout is how long a live request may wait for its first audio.
	// It holds no lease until then.
	firstAudioTimeout = 5 * time.Minute
	// keptBytes limits the live audio of one request that is kept for another
	// candidate: about four minutes of 16 kHz speech.
	keptBytes = 8 << 20
	// allKeptBytes limits the live audio that all requests keep.
	allKeptBytes = 128 << 20
	// keptOverhead is what a piece needs beside its audio, in bytes.
	keptOverhead = 64
)

// replay is a request's audio that another candidate can read from its start.
// Live audio is kept for that, within limits: beyond them it cannot be read
// again.
type replay struct {
	audio    Audio
	complete Rewinder      // audio, unless it is live
	all      *atomic.Int64 // bytes that all requests keep

	mu      sync.Mutex
	kept    [][]byte
	cost    int   // of kept, in bytes
	pos     int   // of the next piece in kept
	end     error // how the audio ended; nil before that
	read    bool  // some audio was read
	partial bool  // not all that was read is kept
	noKeep  bool  // no other candidate follows
}

func newReplay(audio Audio, all *atomic.Int64) *replay {
	r := &replay{audio: audio, all: all}
	r.complete, _ = audio.(Rewinder)
	return r
}

// live reports whether the audio arrives while the request runs. How long that
// takes depends on the client.
func (r *replay) live() bool { return r.complete == nil }

// awaitFirst waits for the first piece of live audio, or for its end, and keeps it
// for the first candidate. It skips empty pieces. It returns DRAINING when draining
// ends before that.
func (r *replay) awaitFirst(ctx, draining context.Context) error {
	if !r.live() {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, firstAudioTimeout)
	defer cancel()
	defer context.AfterFunc(draining, cancel)()
	var piece []byte
	var err error
	for len(piece) == 0 && err == nil {
		piece, err = r.audio.Next(limited)
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		r.end = err
	case ctx.Err() != nil:
		return errs.From(ctx.Err())
	case draining.Err() != nil:
		return errs.ShuttingDown()
	case limited.Err() != nil:
		return clientFault(errs.New(errs.DeadlineExceeded, "no audio came for %s", firstAudioTimeout))
	default:
		return clientFault(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = true
	if err == nil { // whatever the limits are: no candidate has read it yet
		r.cost += keptCost(piece)
		r.all.Add(int64(keptCost(piece)))
		r.kept = append(r.kept, piece)
	}
	return nil
}

// Next implements Audio.
func (r *replay) Next(ctx context.Context) ([]byte, error) {
	if r.complete != nil {
		return r.complete.Next(ctx)
	}
	if piece, ok, end := r.nextKept(); ok || end != nil {
		return piece, end
	}
	piece, err := r.audio.Next(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.keep(piece)
	case ctx.Err() == nil:
		r.read, r.end = true, err
	}
	return piece, err
}

// nextKept returns the next kept piece, and after the last one the end of the
// audio if it has been reached.
func (r *replay) nextKept() (piece []byte, ok bool, end error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pos < len(r.kept) {
		piece = r.kept[r.pos]
		r.pos++
		if r.noKeep {
			r.release()
		}
		return piece, true, nil
	}
	return nil, false, r.end
}

// keep keeps a piece that was read. The caller holds mu.
func (r *replay) keep(piece []byte) {
	r.read = true
	if r.partial || r.noKeep {
		r.partial = true
		return
	}
	r.cost += keptCost(piece)
	if r.all.Add(int64(keptCost(piece))) > allKeptBytes || r.cost > keptBytes {
		r.drop()
		return
	}
	r.kept = append(r.kept, piece)
	r.pos = len(r.kept)
}

func keptCost(piece []byte) int { return len(piece) + keptOverhead }

// release frees the pieces before pos. The caller holds mu.
func (r *replay) release() {
	for _, piece := range r.kept[:r.pos] {
		r.cost -= keptCost(piece)
		r.all.Add(int64(-keptCost(piece)))
	}
	r.kept, r.pos = r.kept[r.pos:], 0
}

// drop frees all pieces. The caller holds mu.
func (r *replay) drop() {
	r.all.Add(int64(-r.cost))
	r.kept, r.cost, r.pos, r.partial = nil, 0, 0, true
}

// stopKeeping says that no other candidate follows. Pieces are freed as the
// present candidate reads them.
func (r *replay) stopKeeping() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noKeep, r.partial = true, r.partial || r.read
	r.release()
}

// discard frees all pieces at the end of the request.
func (r *replay) discard() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
}

// rewind goes back to the start. It returns false if the start is not kept.
func (r *replay) rewind() bool {
	if r.complete != nil {
		r.complete.Rewind()
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pos = 0
	return !r.partial || !r.read
}
