package api

import (
	"context"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// audioMessage is a message of a stream of config and audio.
type audioMessage interface {
	GetConfig() *gatewayv1.TranscriptionConfig
	GetAudio() []byte
}

// openAudio reads the config that begins a stream. The audio that follows is
// read when it is asked for.
func openAudio(ctx context.Context, recv func() (audioMessage, error)) (*gatewayv1.TranscriptionConfig, *liveAudio, error) {
	first, err := recv()
	if errors.Is(err, io.EOF) {
		return nil, nil, errs.New(errs.ConfigNotFirst, "the stream ended before its first message, which carries the config")
	}
	if err != nil {
		return nil, nil, err
	}
	if first.GetConfig() == nil {
		return nil, nil, errs.New(errs.ConfigNotFirst, "the first message must carry the config, the later ones audio")
	}
	return first.GetConfig(), newLiveAudio(ctx, recv), nil
}

// liveAudio is audio that arrives while it is used, and is gone afterwards.
type liveAudio struct {
	pieces chan livePiece
	start  func()
	read   bool
}

type livePiece struct {
	data []byte
	err  error
}

// newLiveAudio reads from a caller's stream. ctx is the stream's: the reading
// goroutine ends with it, as it cannot be woken before.
func newLiveAudio(ctx context.Context, recv func() (audioMessage, error)) *liveAudio {
	a := &liveAudio{pieces: make(chan livePiece)}
	a.start = func() {
		go func() {
			for {
				piece := nextPiece(recv)
				select {
				case a.pieces <- piece:
				case <-ctx.Done():
					return
				}
				if piece.err != nil {
					return
				}
			}
		}()
	}
	return a
}

func nextPiece(recv func() (audioMessage, error)) livePiece {
	msg, err := recv()
	if err != nil {
		return livePiece{err: err}
	}
	if msg.GetConfig() != nil {
		return livePiece{err: errs.New(errs.InvalidRequest, "only the first message carries a config")}
	}
	return livePiece{data: msg.GetAudio()}
}

// Next implements router.Audio.
func (a *liveAudio) Next(ctx context.Context) ([]byte, error) {
	if !a.read {
		a.read = true
		a.start()
	}
	select {
	case piece := <-a.pieces:
		return piece.data, piece.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// clipPiece is how much of a clip goes into one message.
const clipPiece = 1 << 20

// clip is audio that is there as a whole.
type clip struct {
	data []byte
	sent int
}

var _ router.Rewinder = (*clip)(nil)

// Next implements router.Audio.
func (c *clip) Next(context.Context) ([]byte, error) {
	if c.sent == len(c.data) {
		return nil, io.EOF
	}
	piece := c.data[c.sent:min(c.sent+clipPiece, len(c.data))]
	c.sent += len(piece)
	return piece, nil
}

// Rewind implements router.Rewinder.
func (c *clip) Rewind() { c.sent = 0 }
