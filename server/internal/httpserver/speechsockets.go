package httpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// transcribeSocket serves /v1/transcribe/ws, for a microphone: a config as JSON
// unless the query has it, then audio in binary messages, then {"end":true}.
// Events go back as JSON, and the socket is closed after the last.
func (s *speech) transcribeSocket(w http.ResponseWriter, r *http.Request) {
	var cfg *gatewayv1.TranscriptionConfig
	if query := r.URL.Query(); len(query) > 0 {
		cfg = &gatewayv1.TranscriptionConfig{}
		if err := fillOptions(cfg, query, transcriptionOption); err != nil {
			fail(w, r, err)
			return
		}
	}
	ctx, err := s.call(r, "StreamTranscribe")
	if err != nil {
		fail(w, r, err)
		return
	}
	s.sockets.serve(ctx, w, r, func(c *socket) error { return s.transcribeOver(c, cfg) })
}

// transcribeOver runs one transcription on a socket.
func (s *speech) transcribeOver(c *socket, cfg *gatewayv1.TranscriptionConfig) error {
	if cfg == nil {
		m, err := c.next()
		if err != nil {
			return err
		}
		if cfg, err = configOf(m); err != nil {
			return err
		}
	}
	stream, err := s.client.StreamTranscribe(c.ctx)
	if err != nil {
		return err
	}
	first := &gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: cfg}}
	if err := stream.Send(first); err != nil && !errors.Is(err, io.EOF) {
		return err // io.EOF: Recv tells why
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		if err := feed(c, stream); err != nil {
			c.end(err)
		}
	}()
	err = s.forward(c, stream)
	c.end(err)
	<-fed
	return err
}

// forward hands a transcription's events on, to its end.
func (s *speech) forward(c *socket, stream gatewayv1.ModelGatewayService_StreamTranscribeClient) error {
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errDone
		}
		if err != nil {
			return err
		}
		if err := s.sendJSON(c, event); err != nil {
			return err
		}
	}
}

// configOf reads the message that begins a transcription.
func configOf(m message) (*gatewayv1.TranscriptionConfig, error) {
	cfg := &gatewayv1.TranscriptionConfig{}
	if m.text && !isEnd(m.data) {
		if err := protojson.Unmarshal(m.data, cfg); err != nil {
			return nil, unreadable("config", err)
		}
		return cfg, nil
	}
	return nil, errs.New(errs.ConfigNotFirst, "the first message must be the config as JSON, unless the address has it as a query")
}

// isEnd tells whether a text message says that no audio follows.
func isEnd(text []byte) bool {
	var order struct{ End bool }
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&order) != nil {
		return false
	}
	_, behind := d.Token()
	return order.End && errors.Is(behind, io.EOF)
}

// feed sends a socket's audio to a transcription until its end.
func feed(c *socket, stream gatewayv1.ModelGatewayService_StreamTranscribeClient) error {
	ended := false
	for {
		m, err := c.next()
		switch {
		case err != nil:
			return nil // the socket's end is known
		case ended:
			return errs.New(errs.InvalidRequest, "a message came after the end of the audio")
		case m.text && isEnd(m.data):
			ended = true
			if err := stream.CloseSend(); err != nil {
				return nil // Recv tells why
			}
		case m.text:
			return errs.New(errs.InvalidRequest, `after the config come binary messages of audio, then {"end":true}`)
		case len(m.data) > 0:
			if err := c.begin(); err != nil {
				return err
			}
			msg := &gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: m.data}}
			if err := stream.Send(msg); err != nil {
				return nil // Recv tells why
			}
		}
	}
}

// synthesizeSocket serves /v1/synthesize/ws: each text message is a request as
// JSON. What comes back is each piece's JSON without its audio, if that tells
// anything, and its audio as a binary message; the last JSON has served_by.
func (s *speech) synthesizeSocket(w http.ResponseWriter, r *http.Request) {
	ctx, err := s.call(r, "Synthesize")
	if err != nil {
		fail(w, r, err)
		return
	}
	s.sockets.serve(ctx, w, r, func(c *socket) error {
		for {
			m, err := c.next()
			if err != nil {
				return err
			}
			if err := s.speakOver(c, m); err != nil {
				return err
			}
		}
	})
}

// speakOver answers one request on a socket. A request that fails is told so and
// leaves the socket open; what it returns ends the socket.
func (s *speech) speakOver(c *socket, m message) error {
	if !m.text {
		return errs.New(errs.InvalidRequest, "a request is a text message")
	}
	if err := c.begin(); err != nil {
		return err
	}
	defer c.rest()
	req := &gatewayv1.SynthesizeRequest{}
	if err := protojson.Unmarshal(m.data, req); err != nil {
		return c.send(websocket.TextMessage, errorMessage(unreadable("request", err)))
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	stream, err := s.client.Synthesize(ctx, req)
	var piece *gatewayv1.SynthesizeResponse
	for err == nil {
		if piece, err = stream.Recv(); err == nil {
			if err := s.sendPiece(c, piece); err != nil {
				return err
			}
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case c.ctx.Err() != nil || errs.ReasonOf(err) == errs.Draining:
		return err
	}
	return c.send(websocket.TextMessage, errorMessage(err))
}

// sendPiece sends a piece of speech.
func (s *speech) sendPiece(c *socket, piece *gatewayv1.SynthesizeResponse) error {
	audio := piece.GetAudio()
	piece.Audio = nil
	if proto.Size(piece) > 0 {
		if err := s.sendJSON(c, piece); err != nil {
			return err
		}
	}
	if len(audio) == 0 {
		return nil
	}
	return c.send(websocket.BinaryMessage, audio)
}

func (s *speech) sendJSON(c *socket, msg proto.Message) error {
	text, err := s.codec.Marshal(msg)
	if err != nil {
		return err
	}
	return c.send(websocket.TextMessage, text)
}
