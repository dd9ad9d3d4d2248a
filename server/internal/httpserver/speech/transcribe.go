package speech

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// pieceBytes is how much of a recording one message to the engine has, in bytes. With
// its header it fits into a buffer of gRPC that has 32 KiB: the next larger one has a
// megabyte, and each upload that waits for its model holds one.
const pieceBytes = 32<<10 - 1<<10

// Transcribe serves POST of TranscribePath.
func (h *Handlers) Transcribe(w http.ResponseWriter, r *http.Request) {
	media := reply.Negotiate(r, reply.JSON, textType)
	if media == "" {
		reply.NotAcceptable(w, r, reply.JSON, textType)
		return
	}
	json := isJSON(r)
	if json && media == reply.JSON {
		h.api.ServeHTTP(w, r)
		return
	}
	resp, err := h.transcript(w, r, json)
	switch {
	case err != nil:
		reply.Error(w, err)
	case media == textType:
		setServedBy(w.Header(), resp.GetServedBy())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		text := resp.GetTranscript().GetText() + "\n"
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = io.WriteString(w, text) // fails only if the client is gone
	default:
		h.api.Answer(w, resp)
	}
}

// transcript transcribes the body of a request.
func (h *Handlers) transcript(w http.ResponseWriter, r *http.Request, json bool) (*gatewayv1.TranscribeResponse, error) {
	ctx, err := h.api.CallContext(r, gatewayv1.ModelGatewayService_Transcribe_FullMethodName)
	if err != nil {
		return nil, err
	}
	if json {
		req := &gatewayv1.RecognizeRequest{}
		if err := h.api.Decode(r.Body, req); err != nil {
			return nil, err
		}
		resp, err := h.client.Recognize(ctx, req)
		return &gatewayv1.TranscribeResponse{Transcript: resp.GetTranscript(), ServedBy: resp.GetServedBy()}, err
	}
	form, _ := formOf(r)
	if form == formUndeclared {
		bodies.StreamAudio(w, readAheadOf(form))
	}
	up, err := openUpload(r, readAheadOf(form))
	if err != nil {
		return nil, err
	}
	cfg := &gatewayv1.TranscriptionConfig{}
	if err := fillOptions(cfg, up.options, transcriptionField); err != nil {
		return nil, err
	}
	return h.transcribeStream(ctx, cfg, up.audio, func() { bodies.StopReading(w) })
}

// transcribeStream transcribes audio while it arrives. The answer may come
// before the end of the audio, and does not wait for the goroutine that reads
// it; stopReading is called then.
func (h *Handlers) transcribeStream(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, audio io.Reader, stopReading func()) (*gatewayv1.TranscribeResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := h.client.Transcribe(ctx)
	if err != nil {
		return nil, err
	}
	sent := make(chan error, 1)
	go func() {
		err := sendAudio(stream, cfg, audio)
		sent <- err
		if err != nil {
			cancel()
		}
	}()
	resp := &gatewayv1.TranscribeResponse{}
	err = stream.RecvMsg(resp)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		// The body has failed: the goroutine cancelled the call, or net/http did
		// because the client is gone or too slow. In all cases the goroutine is at
		// its end. It must find out why before the reading stops.
		if readErr := <-sent; readErr != nil {
			err = readErr
		}
	}
	stopReading()
	return resp, err
}

// sendAudio sends a config, the audio after it, and the end of the audio. It
// returns errors of the audio only: those of the call show when it is received
// from.
func sendAudio(stream gatewayv1.ModelGatewayService_TranscribeClient, cfg *gatewayv1.TranscriptionConfig, audio io.Reader) error {
	msg := &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: cfg}}
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
			msg = &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: buf[:n]}}
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
