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
	// firstAudioWait is how long a request may keep its audio back before it
	// ends; until then it takes nobody's place.
	firstAudioWait = 5 * time.Minute
	// keptBytes bounds the audio of one request that is kept for another
	// candidate: about four minutes of 16 kHz speech.
	keptBytes = 8 << 20
	// allKeptBytes bounds it over all requests.
	allKeptBytes = 128 << 20
	// keptOverhead is what a piece takes beside its audio, in bytes.
	keptOverhead = 64
)

// replay is a request's audio that another candidate can hear from its start.
// What is not there as a whole it keeps, up to the bounds; what is beyond cannot
// be heard again.
type replay struct {
	audio Audio
	whole Rewinder      // audio, if it is there as a whole
	all   *atomic.Int64 // bytes that all requests keep

	mu    sync.Mutex
	kept  [][]byte
	cost  int
	pos   int   // of the next piece in kept
	end   error // how the audio ended, if it did
	heard bool  // something was read
	lost  bool  // not all that was read is kept
	last  bool  // this candidate is the last
}

func newReplay(audio Audio, all *atomic.Int64) *replay {
	r := &replay{audio: audio, all: all}
	r.whole, _ = audio.(Rewinder)
	return r
}

// live tells whether the audio arrives while it is used: how long that takes is
// the caller's matter.
func (r *replay) live() bool { return r.whole == nil }

// await waits for the first sound of live audio, or its end, and keeps it for the
// first candidate. Empty pieces before it are left out.
func (r *replay) await(ctx context.Context) error {
	if !r.live() {
		return nil
	}
	soon, cancel := context.WithTimeout(ctx, firstAudioWait)
	defer cancel()
	var piece []byte
	var err error
	for len(piece) == 0 && err == nil {
		piece, err = r.audio.Next(soon)
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		r.end = err
	case ctx.Err() != nil:
		return errs.From(ctx.Err())
	case soon.Err() != nil:
		return callersFault(errs.New(errs.DeadlineExceeded, "no audio came for %s", firstAudioWait))
	default:
		return callersFault(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = true
	if err == nil { // whatever the bounds say: it is heard for the first time yet
		r.cost += keptCost(piece)
		r.all.Add(int64(keptCost(piece)))
		r.kept = append(r.kept, piece)
	}
	return nil
}

// Next implements Audio.
func (r *replay) Next(ctx context.Context) ([]byte, error) {
	if r.whole != nil {
		return r.whole.Next(ctx)
	}
	if piece, ok, end := r.again(); ok || end != nil {
		return piece, end
	}
	piece, err := r.audio.Next(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.keep(piece)
	case ctx.Err() == nil:
		r.heard, r.end = true, err
	}
	return piece, err
}

// again gives what was read before, and then its end if that was read too.
func (r *replay) again() (piece []byte, ok bool, end error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pos < len(r.kept) {
		piece = r.kept[r.pos]
		r.pos++
		if r.last {
			r.release()
		}
		return piece, true, nil
	}
	return nil, false, r.end
}

// keep remembers a piece. mu is held.
func (r *replay) keep(piece []byte) {
	r.heard = true
	if r.lost || r.last {
		r.lost = true
		return
	}
	r.cost += keptCost(piece)
	if r.all.Add(int64(keptCost(piece))) > allKeptBytes || r.cost > keptBytes {
		r.forget()
		return
	}
	r.kept = append(r.kept, piece)
	r.pos = len(r.kept)
}

func keptCost(piece []byte) int { return len(piece) + keptOverhead }

// release gives up what was heard again. mu is held.
func (r *replay) release() {
	for _, piece := range r.kept[:r.pos] {
		r.cost -= keptCost(piece)
		r.all.Add(int64(-keptCost(piece)))
	}
	r.kept, r.pos = r.kept[r.pos:], 0
}

// forget gives up everything that is kept. mu is held.
func (r *replay) forget() {
	r.all.Add(int64(-r.cost))
	r.kept, r.cost, r.pos, r.lost = nil, 0, 0, true
}

// final tells that no other candidate follows: what is heard now is heard for
// the last time.
func (r *replay) final() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.lost = true, r.lost || r.heard
	r.release()
}

// drop gives up everything when the request has ended.
func (r *replay) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
}

// rewind goes back to the start; false if that is gone.
func (r *replay) rewind() bool {
	if r.whole != nil {
		r.whole.Rewind()
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pos = 0
	return !r.lost || !r.heard
}
