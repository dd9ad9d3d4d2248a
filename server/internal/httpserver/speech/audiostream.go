package speech

import (
	"context"
	"errors"
	"io"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
)

// pieceBytes is how much of a recording one message to the engine has, in bytes. With
// its header it fits into a buffer of gRPC that has 32 KiB: the next larger one has a
// megabyte, and each upload that waits for its model holds one.
const pieceBytes = 32<<10 - 1<<10

// audioStream is the sending side of a call that takes a config and audio.
type audioStream[M any] interface {
	Send(M) error
	CloseSend() error
}

// message returns a message of a call with a config or, if that is nil, with audio.
type message[M any] func(cfg *gatewayv1.TranscriptionConfig, audio []byte) M

func transcribeMessage(cfg *gatewayv1.TranscriptionConfig, audio []byte) *gatewayv1.TranscribeRequest {
	if cfg != nil {
		return &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: cfg}}
	}
	return &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: audio}}
}

func streamTranscribeMessage(cfg *gatewayv1.TranscriptionConfig, audio []byte) *gatewayv1.StreamTranscribeRequest {
	if cfg != nil {
		return &gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: cfg}}
	}
	return &gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: audio}}
}

// TranscribeAudio transcribes audio while it arrives. The answer may come
// before the end of the audio, and does not wait for the goroutine that reads
// it; stopReading is called then.
func (h *Handlers) TranscribeAudio(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, audio io.Reader, stopReading func()) (*gatewayv1.TranscribeResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := h.client.Transcribe(ctx)
	if err != nil {
		return nil, err
	}
	resp := &gatewayv1.TranscribeResponse{}
	err = whileSending(ctx, cancel, func() error { return sendAudio(stream, transcribeMessage, cfg, audio) },
		func() error { return stream.RecvMsg(resp) })
	stopReading()
	return resp, err
}

// StreamTranscribeAudio is TranscribeAudio for the events of a transcription. An error
// of each ends the call.
func (h *Handlers) StreamTranscribeAudio(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, audio io.Reader, stopReading func(), each func(*gatewayv1.StreamTranscribeResponse) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := h.client.StreamTranscribe(ctx)
	if err != nil {
		return err
	}
	err = whileSending(ctx, cancel, func() error { return sendAudio(stream, streamTranscribeMessage, cfg, audio) }, func() error {
		for {
			event, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := each(event); err != nil {
				return err
			}
		}
	})
	stopReading()
	return err
}

// whileSending receives while send sends. If the call ends because the audio failed, it
// returns that error.
func whileSending(ctx context.Context, cancel context.CancelFunc, send, receive func() error) error {
	sent := make(chan error, 1)
	go func() {
		err := send()
		sent <- err
		if err != nil {
			cancel()
		}
	}()
	err := receive()
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		// The body has failed: the goroutine cancelled the call, or net/http did
		// because the client is gone or too slow. In all cases the goroutine is at
		// its end. It must find out why before the reading stops.
		if readErr := <-sent; readErr != nil {
			return readErr
		}
	}
	return err
}

// sendAudio sends a config, the audio after it, and the end of the audio. It
// returns errors of the audio only: those of the call show when it is received
// from.
func sendAudio[M any](stream audioStream[M], wrap message[M], cfg *gatewayv1.TranscriptionConfig, audio io.Reader) error {
	msg := wrap(cfg, nil)
	for {
		if stream.Send(msg) != nil {
			return nil
		}
		// gRPC may keep a message after Send, so each piece has its own buffer.
		buf := make([]byte, pieceBytes)
		n, err := audio.Read(buf)
		for n == 0 && err == nil {
			n, err = audio.Read(buf)
		}
		switch {
		case n > 0:
			msg = wrap(nil, buf[:n])
		case errors.Is(err, io.EOF):
			_ = stream.CloseSend() // an error shows when the call is received from
			return nil
		case errors.Is(err, bodies.ErrStopped):
			return nil
		default:
			return bodies.ReadError(err)
		}
	}
}
