package api

import (
	"context"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// audioMessage is a message of a caller's stream: first the config, then audio.
type audioMessage interface {
	GetConfig() *gatewayv1.TranscriptionConfig
	GetAudio() []byte
}

// openAudio reads the config at the beginning of a stream. The returned audio reads
// the rest when Next is called.
func openAudio(ctx context.Context, recv func() (audioMessage, error)) (*gatewayv1.TranscriptionConfig, *liveAudio, error) {
	first, err := recv()
	if errors.Is(err, io.EOF) {
		return nil, nil, errs.New(errs.ConfigNotFirst, "the stream ended before its first message, which must be the config")
	}
	if err != nil {
		return nil, nil, err
	}
	if first.GetConfig() == nil {
		return nil, nil, errs.New(errs.ConfigNotFirst, "the first message must be the config; audio comes after it")
	}
	return first.GetConfig(), newLiveAudio(ctx, recv), nil
}

// liveAudio is audio that arrives during the request. It can be read only once.
type liveAudio struct {
	pieces   chan livePiece
	start    func()
	read     bool
	progress *progress // nil if nobody is told
}

type livePiece struct {
	data []byte
	err  error
}

// newLiveAudio returns the audio of a caller's stream. ctx is the stream's context:
// the goroutine that reads ends with it, because recv cannot be interrupted.
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
		return livePiece{err: errs.New(errs.InvalidRequest, "only the first message may be a config")}
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
		if piece.err == nil && a.progress != nil {
			piece.data = a.progress.take(piece.data)
		}
		return piece.data, piece.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// clipPiece is the size of the messages in which a clip is sent, in bytes.
const clipPiece = 1 << 20

// clip is audio that came in one message.
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
