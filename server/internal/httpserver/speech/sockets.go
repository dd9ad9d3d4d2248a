package speech

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/rest"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
)

// TranscribeSocket serves TranscribeSocketPath, for a microphone. The client
// sends a config as JSON, unless the query has it, then audio as binary messages,
// then {"end":true}. The server sends events as JSON, and closes the socket after
// the last.
func (h *Handlers) TranscribeSocket(w http.ResponseWriter, r *http.Request) {
	var cfg *gatewayv1.TranscriptionConfig
	if query := r.URL.Query(); len(query) > 0 {
		cfg = &gatewayv1.TranscriptionConfig{}
		if err := fillOptions(cfg, query, transcriptionField); err != nil {
			reply.Error(w, err)
			return
		}
	}
	ctx, err := h.api.CallContext(r, gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName)
	if err != nil {
		reply.Error(w, err)
		return
	}
	h.sockets.Serve(ctx, w, r, sockets.Form{Error: sockets.RESTError}, func(c *sockets.Socket) error { return h.transcribeSocket(c, cfg) })
}

// transcribeSocket runs one transcription on a socket.
func (h *Handlers) transcribeSocket(c *sockets.Socket, cfg *gatewayv1.TranscriptionConfig) error {
	if cfg == nil {
		m, err := c.Next()
		if err != nil {
			return err
		}
		if cfg, err = parseConfig(m); err != nil {
			return err
		}
	}
	stream, err := h.client.StreamTranscribe(c.Context())
	if err != nil {
		return err
	}
	first := &gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: cfg}}
	if err := stream.Send(first); err != nil && !errors.Is(err, io.EOF) {
		return err // after io.EOF, Recv returns the error
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if err := sendSocketAudio(c, stream); err != nil {
			c.End(err)
		}
	}()
	err = h.sendEvents(c, stream)
	c.End(err)
	<-sent
	return err
}

// parseConfig reads the message that begins a transcription.
func parseConfig(m sockets.Message) (*gatewayv1.TranscriptionConfig, error) {
	cfg := &gatewayv1.TranscriptionConfig{}
	if m.Text && !isEnd(m.Data) {
		if err := rest.UnmarshalJSON(protojson.UnmarshalOptions{}, "config", m.Data, cfg); err != nil {
			return nil, err
		}
		return cfg, nil
	}
	return nil, errs.New(errs.ConfigNotFirst, "the first message must be the config as JSON, unless the query of the URL has it")
}

// isEnd reports whether a text message is {"end":true}.
func isEnd(text []byte) bool {
	var message struct{ End bool }
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	d.DisallowUnknownFields()
	if d.Decode(&message) != nil {
		return false
	}
	_, rest := d.Token()
	return message.End && errors.Is(rest, io.EOF)
}

// sendEvents sends the events of a transcription to the client, until its end.
func (h *Handlers) sendEvents(c *sockets.Socket, stream gatewayv1.ModelGatewayService_StreamTranscribeClient) error {
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return sockets.ErrDone
		}
		if err != nil {
			return err
		}
		if err := h.sendJSON(c, event); err != nil {
			return err
		}
	}
}

// sendSocketAudio sends the audio of a client to a transcription. It returns
// what the client did wrong: errors of the socket and of the call show elsewhere.
func sendSocketAudio(c *sockets.Socket, stream gatewayv1.ModelGatewayService_StreamTranscribeClient) error {
	ended := false
	for {
		m, err := c.Next()
		switch {
		case err != nil:
			return nil // the socket has ended
		case ended:
			return errs.New(errs.InvalidRequest, `no message may follow {"end":true}`)
		case m.Text && isEnd(m.Data):
			ended = true
			if err := stream.CloseSend(); err != nil {
				return nil // Recv returns the error
			}
		case m.Text:
			return errs.New(errs.InvalidRequest, `after the config, only binary messages of audio and then {"end":true} are valid`)
		case len(m.Data) > 0:
			if err := c.BeginWork(); err != nil {
				return err
			}
			msg := &gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: m.Data}}
			if err := stream.Send(msg); err != nil {
				return nil // Recv returns the error
			}
		}
	}
}

// SynthesizeSocket serves SynthesizeSocketPath. Each text message of the client
// is a request as JSON. The server sends each piece as JSON without its audio, if
// that has anything, and the audio as a binary message; the last JSON of a request
// has served_by.
func (h *Handlers) SynthesizeSocket(w http.ResponseWriter, r *http.Request) {
	ctx, err := h.api.CallContext(r, gatewayv1.ModelGatewayService_Synthesize_FullMethodName)
	if err != nil {
		reply.Error(w, err)
		return
	}
	h.sockets.Serve(ctx, w, r, sockets.Form{Error: sockets.RESTError}, func(c *sockets.Socket) error {
		for {
			m, err := c.Next()
			if err != nil {
				return err
			}
			if err := h.synthesizeSocket(c, m); err != nil {
				return err
			}
		}
	})
}

// synthesizeSocket answers one request on a socket. An error of the request is
// sent, and leaves the socket open; the error that it returns ends the socket.
func (h *Handlers) synthesizeSocket(c *sockets.Socket, m sockets.Message) error {
	if !m.Text {
		return errs.New(errs.InvalidRequest, "a request must be a text message of JSON")
	}
	if err := c.BeginWork(); err != nil {
		return err
	}
	defer c.EndWork()
	req := &gatewayv1.SynthesizeRequest{}
	if err := rest.UnmarshalJSON(protojson.UnmarshalOptions{}, "request", m.Data, req); err != nil {
		return c.SendError(err)
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	stream, err := h.client.Synthesize(ctx, req)
	var piece *gatewayv1.SynthesizeResponse
	for err == nil {
		if piece, err = stream.Recv(); err == nil {
			if err := h.sendPiece(c, piece); err != nil {
				return err
			}
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case c.Context().Err() != nil || errs.ReasonOf(err) == errs.Draining:
		return err
	}
	return c.SendError(err)
}

// sendPiece sends a piece of speech.
func (h *Handlers) sendPiece(c *sockets.Socket, piece *gatewayv1.SynthesizeResponse) error {
	audio := piece.GetAudio()
	piece.Audio = nil
	if proto.Size(piece) > 0 {
		if err := h.sendJSON(c, piece); err != nil {
			return err
		}
	}
	if len(audio) == 0 {
		return nil
	}
	return c.SendBinary(audio)
}

func (h *Handlers) sendJSON(c *sockets.Socket, msg proto.Message) error {
	text, err := h.api.Marshal(msg)
	if err != nil {
		return err
	}
	return c.SendText(text)
}
