package calls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// protocol is one of those that carry protobuf.
type protocol struct {
	Name    string
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

func newClient[Req, Res any](l *Link, p protocol, procedure string) *connect.Client[Req, Res] {
	if p.grpc {
		return connect.NewClient[Req, Res](l.two, l.GRPC+procedure, p.options...)
	}
	return connect.NewClient[Req, Res](l.one, l.HTTP+procedure, p.options...)
}

// setHeaders sets the metadata, the key and the deadline of a call. The client library would end a
// call with a deadline of its own.
func (p protocol) setHeaders(h http.Header, l *Link, a Ask) {
	l.setHeader(h, a)
	switch {
	case a.Deadline == 0:
	case p.grpc || p.Name == "gRPC-Web":
		h.Set("Grpc-Timeout", fmt.Sprintf("%dm", a.Deadline.Milliseconds()))
	default:
		h.Set("Connect-Timeout-Ms", fmt.Sprint(a.Deadline.Milliseconds()))
	}
}

// served is an answer of an inference.
type served interface{ GetServedBy() *gatewayv1.ServedBy }

// unary returns a call with one message in each direction.
func unary[Req, Res any](p protocol, procedure string, message func(Ask) *Req) func(context.Context, *Link, Ask) End {
	return func(ctx context.Context, l *Link, a Ask) End {
		req := connect.NewRequest(message(a))
		p.setHeaders(req.Header(), l, a)
		resp, err := newClient[Req, Res](l, p, procedure).CallUnary(ctx, req)
		if err != nil {
			return endOf(ctx, err)
		}
		if m, ok := any(resp.Msg).(served); ok && m.GetServedBy() == nil {
			return End{Malformed, "the answer has no served_by"}
		}
		a.answered(resp.Header())
		a.began()
		return End{}
	}
}

// completeness checks that exactly the last message of a stream says by whom it was
// served.
type completeness struct{ messages, ends int }

func (c *completeness) saw(message any) (e End, ok bool) {
	c.messages++
	if c.ends > 0 {
		return End{Malformed, "a message came after the end"}, false
	}
	if m, is := message.(served); is && m.GetServedBy() != nil {
		c.ends++
	}
	return End{}, true
}

func (c *completeness) end(inference bool) End {
	if inference && c.ends != 1 {
		return End{Malformed, fmt.Sprintf("a stream of %d messages ended without error and without served_by", c.messages)}
	}
	return End{}
}

// serverStream returns a call whose answer is a stream. on, which may be nil, gets
// the header and each message; the call ends if it returns false.
func serverStream[Req, Res any](p protocol, procedure string, message func(Ask) *Req, on func(context.Context, *Link, http.Header, *Res) bool) func(context.Context, *Link, Ask) End {
	return func(ctx context.Context, l *Link, a Ask) End {
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
				a.answered(stream.ResponseHeader())
				a.began()
			}
			if on != nil && !on(ctx, l, stream.ResponseHeader(), stream.Msg()) {
				return End{}
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
var recording = make([]byte, PieceBytes)

// PieceBytes is the size of a piece of audio.
const PieceBytes = 16000

func transcription(a Ask) *gatewayv1.TranscriptionConfig {
	return &gatewayv1.TranscriptionConfig{
		Language: "en", Model: a.Model, InterimResults: true,
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: 16000},
	}
}

// transcribe calls Transcribe, which has a stream of requests.
func transcribe(ctx context.Context, l *Link, a Ask) End {
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
func streamTranscribe(ctx context.Context, l *Link, a Ask) End {
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

// session calls OpenTranscription, and PushAudio for its audio, on the gateway that opened it.
func session(p protocol) func(context.Context, *Link, Ask) End {
	return func(ctx context.Context, l *Link, a Ask) End {
		var pushes *End
		got := serverStream(p, gatewayv1.ModelGatewayService_OpenTranscription_FullMethodName, func(a Ask) *gatewayv1.OpenTranscriptionRequest {
			return &gatewayv1.OpenTranscriptionRequest{Config: transcription(a)}
		}, func(ctx context.Context, l *Link, h http.Header, m *gatewayv1.OpenTranscriptionResponse) bool {
			if final := m.GetEvent().GetFinal(); final != nil && a.Transcript != nil {
				a.Transcript(final.GetText())
			}
			if pushes == nil && m.GetSessionId() != "" {
				e := push(ctx, p, l, m.GetSessionId(), h, a)
				pushes = &e
			}
			return pushes == nil || pushes.Reason == "" || a.Pieces == 0
		})(ctx, l, a)
		if got.Reason == "" && pushes != nil && a.Pieces > 0 {
			return *pushes
		}
		return got // says why if the one push failed
	}
}

// push sends the audio of a session. h is the header of its stream.
func push(ctx context.Context, p protocol, l *Link, id string, h http.Header, a Ask) End {
	send := unary[gatewayv1.PushAudioRequest, gatewayv1.PushAudioResponse](p, gatewayv1.ModelGatewayService_PushAudio_FullMethodName, func(b Ask) *gatewayv1.PushAudioRequest {
		return &gatewayv1.PushAudioRequest{SessionId: id, Audio: recording, Sequence: int64(b.Pieces), Last: b.Pieces+1 >= a.Pieces}
	})
	for i := range max(1, a.Pieces) {
		select {
		case <-time.After(a.Pace):
		case <-ctx.Done():
		}
		if e := send(ctx, l, Ask{Pieces: i, Metadata: http.Header{"Mg-Endpoint": h["Mg-Endpoint"]}}); e.Reason != "" {
			return e
		}
	}
	return End{}
}
