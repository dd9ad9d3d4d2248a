package router

import (
	"context"
	"errors"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

const (
	// minAudioRate is the slowest live audio that counts as audio, in bytes a second:
	// a little less than the slowest codec for speech has.
	minAudioRate = 512
	// maxArrears is the most that a client can be behind, so that one that was silent
	// for long is soon heard again.
	maxArrears = 3 * pauseAfter
	// minReadRate is the slowest rate at which a client may read in the long run, in
	// bytes a second.
	minReadRate = 8 << 10
)

// arrears is how far a client is behind a rate of bytes that others can expect of
// it: the time that was spent waiting for it, less the time that its bytes are
// worth. It holds over the life of a stream, so that a few bytes now and then
// do not count as progress.
type arrears time.Duration

// add counts a wait that ended with n bytes, at a rate in bytes a second. Bytes
// are not saved up.
func (a *arrears) add(waited time.Duration, n, rate int) {
	worth := time.Duration(n) * time.Second / time.Duration(rate)
	*a = arrears(max(0, time.Duration(*a)+waited-worth))
}

// audioPace reads a client's audio. While the client is behind minAudioRate the
// lease is paused: a silent client must neither hold cores nor make the worker
// look as if it hung, and loses its lease to others if that lasts.
type audioPace struct {
	lease  Lease
	audio  Audio
	behind arrears
	resume func(context.Context) error // ends the pause; nil if there is none
}

// next waits for audio. It returns what comes while the client is behind too.
func (p *audioPace) next(ctx context.Context) ([]byte, error) {
	piece, err := p.await(ctx)
	if p.resume != nil && (err != nil || time.Duration(p.behind) < pauseAfter/2) {
		resume := p.resume
		p.resume = nil
		if resumeErr := resume(ctx); resumeErr != nil {
			return nil, resumeErr
		}
	}
	return piece, audioFault(ctx, err)
}

func (p *audioPace) await(ctx context.Context) ([]byte, error) {
	if p.resume == nil {
		limit := pauseAfter - time.Duration(p.behind)
		soon, cancel := context.WithTimeout(ctx, limit)
		piece, err := p.read(soon)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return piece, err
		}
		p.resume = p.lease.Pause(lifecycle.ForAudio)
	}
	return p.read(ctx)
}

// read waits for audio and counts the wait.
func (p *audioPace) read(ctx context.Context) ([]byte, error) {
	start := time.Now()
	piece, err := p.audio.Next(ctx)
	p.behind.add(time.Since(start), len(piece), minAudioRate)
	p.behind = min(p.behind, arrears(maxArrears))
	return piece, err
}
