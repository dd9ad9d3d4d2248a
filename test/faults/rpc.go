package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"connectrpc.com/connect"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// protocol is one of those that carry protobuf.
type protocol struct {
	name    string
	options []connect.ClientOption
	// grpc: over HTTP/2 to the port of gRPC.
	grpc bool
}

var protocols = []protocol{
	{"gRPC", []connect.ClientOption{connect.WithGRPC()}, true},
	{"gRPC-Web", []connect.ClientOption{connect.WithGRPCWeb()}, false},
	{"Connect", nil, false},
	{"Connect with JSON", []connect.ClientOption{connect.WithProtoJSON()}, false},
}

func newClient[Req, Res any](l *link, p protocol, procedure string) *connect.Client[Req, Res] {
	if p.grpc {
		return connect.NewClient[Req, Res](l.two, l.grpcURL+procedure, p.options...)
	}
	return connect.NewClient[Req, Res](l.one, l.httpURL+procedure, p.options...)
}

// setHeaders sets the key and the deadline of a call. The client library would end a
// call with a deadline of its own.
func (p protocol) setHeaders(h http.Header, l *link, a ask) {
	h.Set("Authorization", "Bearer "+l.key)
	switch {
	case a.deadline == 0:
	case p.grpc || p.name == "gRPC-Web":
		h.Set("Grpc-Timeout", fmt.Sprintf("%dm", a.deadline.Milliseconds()))
	default:
		h.Set("Connect-Timeout-Ms", fmt.Sprint(a.deadline.Milliseconds()))
	}
}

// served is an answer of an inference.
type served interface{ GetServedBy() *gatewayv1.ServedBy }

// unary returns a call with one message in each direction.
func unary[Req, Res any](p protocol, procedure string, message func(ask) *Req) func(context.Context, *link, ask) end {
	return func(ctx context.Context, l *link, a ask) end {
		req := connect.NewRequest(message(a))
		p.setHeaders(req.Header(), l, a)
		resp, err := newClient[Req, Res](l, p, procedure).CallUnary(ctx, req)
		if err != nil {
			return endOf(ctx, err)
		}
		if m, ok := any(resp.Msg).(served); ok && m.GetServedBy() == nil {
			return end{malformed, "the answer has no served_by"}
		}
		a.began()
		return end{}
	}
}

// completeness checks that exactly the last message of a stream says by whom it was
// served.
type completeness struct{ messages, ends int }

func (c *completeness) saw(message any) (e end, ok bool) {
	c.messages++
	if c.ends > 0 {
		return end{malformed, "a message came after the end"}, false
	}
	if m, is := message.(served); is && m.GetServedBy() != nil {
		c.ends++
	}
	return end{}, true
}

func (c *completeness) end(inference bool) end {
	if inference && c.ends != 1 {
		return end{malformed, fmt.Sprintf("a stream of %d messages ended without error and without served_by", c.messages)}
	}
	return end{}
}

// serverStream returns a call whose answer is a stream. on, which may be nil, gets
// each message; the call ends if it returns false.
func serverStream[Req, Res any](p protocol, procedure string, message func(ask) *Req, on func(context.Context, *link, *Res) bool) func(context.Context, *link, ask) end {
	return func(ctx context.Context, l *link, a ask) end {
		outer := ctx
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		req := connect.NewRequest(message(a))
		p.setHeaders(req.Header(), l, a)
		stream, err := newClient[Req, Res](l, p, procedure).CallServerStream(ctx, req)
		if err != nil {
			return endOf(outer, err)
		}
		defer func() { _ = stream.Close() }()
		var c completeness
		for stream.Receive() {
			if e, ok := c.saw(stream.Msg()); !ok {
				return e
			}
			if c.messages == 1 {
				a.began()
			}
			if on != nil && !on(ctx, l, stream.Msg()) {
				return end{}
			}
		}
		if err := stream.Err(); err != nil {
			return endOf(outer, err)
		}
		_, inference := any(new(Res)).(served)
		return c.end(inference)
	}
}

// recording is half a second of silence as 16-bit samples.
var recording = make([]byte, 16000)

func transcription(a ask) *gatewayv1.TranscriptionConfig {
	return &gatewayv1.TranscriptionConfig{
		Language: "en", Model: a.model, InterimResults: true,
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: 16000},
	}
}

// transcribe calls Transcribe, which has a stream of requests.
func transcribe(ctx context.Context, l *link, a ask) end {
	p := protocols[0]
	stream := newClient[gatewayv1.TranscribeRequest, gatewayv1.TranscribeResponse](l, p, gatewayv1.ModelGatewayService_Transcribe_FullMethodName).CallClientStream(ctx)
	p.setHeaders(stream.RequestHeader(), l, a)
	// If a send fails, the answer says why.
	_ = stream.Send(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: transcription(a)}})
	for range 3 {
		_ = stream.Send(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: recording}})
	}
	_, err := stream.CloseAndReceive()
	return endOf(ctx, err)
}

// streamTranscribe calls StreamTranscribe, which has streams in both directions.
func streamTranscribe(ctx context.Context, l *link, a ask) end {
	p := protocols[0]
	stream := newClient[gatewayv1.StreamTranscribeRequest, gatewayv1.StreamTranscribeResponse](l, p, gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName).CallBidiStream(ctx)
	p.setHeaders(stream.RequestHeader(), l, a)
	defer func() { _ = stream.CloseResponse() }()
	_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: transcription(a)}})
	for range 3 {
		_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: recording}})
	}
	_ = stream.CloseRequest()
	var c completeness
	for {
		m, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return c.end(true)
		}
		if err != nil {
			return endOf(ctx, err)
		}
		if e, ok := c.saw(m); !ok {
			return e
		}
	}
}

// session calls OpenTranscription, and PushAudio for its audio.
func session(p protocol) func(context.Context, *link, ask) end {
	pushed := false
	push := func(ctx context.Context, l *link, m *gatewayv1.OpenTranscriptionResponse) bool {
		if pushed || m.GetSessionId() == "" {
			return true
		}
		pushed = true
		// If this fails, the session ends, and says why.
		unary[gatewayv1.PushAudioRequest, gatewayv1.PushAudioResponse](p, gatewayv1.ModelGatewayService_PushAudio_FullMethodName, func(ask) *gatewayv1.PushAudioRequest {
			return &gatewayv1.PushAudioRequest{SessionId: m.GetSessionId(), Audio: recording, Last: true}
		})(ctx, l, ask{})
		return true
	}
	return serverStream(p, gatewayv1.ModelGatewayService_OpenTranscription_FullMethodName, func(a ask) *gatewayv1.OpenTranscriptionRequest {
		return &gatewayv1.OpenTranscriptionRequest{Config: transcription(a)}
	}, push)
}
