package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// surface makes one request and returns its error and the header of its answer.
type surface func(t *testing.T, g *guarded, key string) (http.Header, error)

// requestSurfaces are all ways to send a request.
func requestSurfaces() map[string]surface {
	const service = "/modelgateway.v1.ModelGatewayService/"
	unary := func(opts ...connect.ClientOption) surface {
		return func(t *testing.T, g *guarded, key string) (http.Header, error) {
			client := connect.NewClient[gatewayv1.ChatRequest, gatewayv1.ChatResponse](http.DefaultClient, g.http+service+"Chat", opts...)
			req := connect.NewRequest(&gatewayv1.ChatRequest{Messages: say("Hello")})
			req.Header().Set("Authorization", "Bearer "+g.keys[key])
			resp, err := client.CallUnary(within(t, time.Minute), req)
			if err != nil {
				return connectFailure(err)
			}
			return resp.Header(), nil
		}
	}
	stream := func(opts ...connect.ClientOption) surface {
		return func(t *testing.T, g *guarded, key string) (http.Header, error) {
			client := connect.NewClient[gatewayv1.StreamChatRequest, gatewayv1.StreamChatResponse](http.DefaultClient, g.http+service+"StreamChat", opts...)
			req := connect.NewRequest(&gatewayv1.StreamChatRequest{Messages: say("Hello")})
			req.Header().Set("Authorization", "Bearer "+g.keys[key])
			stream, err := client.CallServerStream(within(t, time.Minute), req)
			if err != nil {
				return connectFailure(err)
			}
			defer stream.Close()
			for stream.Receive() {
			}
			if stream.Err() != nil {
				_, err := connectFailure(stream.Err())
				return stream.ResponseHeader(), err
			}
			return stream.ResponseHeader(), nil
		}
	}
	post := func(path, media, body, accept string) surface {
		return func(t *testing.T, g *guarded, key string) (http.Header, error) {
			resp, text := g.post(t, path, body, "Authorization", "Bearer "+g.keys[key], "Content-Type", media, "Accept", accept)
			if resp.StatusCode == http.StatusOK {
				return resp.Header, nil
			}
			checkHTTP(t, resp, text, http.StatusTooManyRequests, codes.ResourceExhausted, errs.RateLimited, true)
			return resp.Header, errs.New(errs.RateLimited, "%s", text).WithRetryAfter(time.Second)
		}
	}
	wav := "RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00"
	return map[string]surface{
		"gRPC": func(t *testing.T, g *guarded, key string) (http.Header, error) {
			var header metadata.MD
			_, err := g.chat.Chat(g.as(t, key), &gatewayv1.ChatRequest{Messages: say("Hello")}, grpc.Header(&header))
			return canonical(header), err
		},
		"gRPC stream": func(t *testing.T, g *guarded, key string) (http.Header, error) {
			stream, err := g.chat.StreamChat(g.as(t, key), &gatewayv1.StreamChatRequest{Messages: say("Hello")})
			return header(stream, drain(stream, err))
		},
		"gRPC audio": func(t *testing.T, g *guarded, key string) (http.Header, error) {
			stream, err := g.chat.StreamTranscribe(g.as(t, key))
			if err == nil {
				_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{}}})
				err = stream.CloseSend()
			}
			return header(stream, drain(stream, err))
		},
		"REST":                post("/v1/chat", "application/json", userSays, "application/json"),
		"REST stream":         post("/v1/chat:stream", "application/json", userSays, "application/x-ndjson"),
		"server-sent events":  post("/v1/chat:stream", "application/json", userSays, "text/event-stream"),
		"untyped":             post("/v1/tasks/chat", "application/json", `{"params":{"messages":[{"role":"user","content":"Hello"}]}}`, "application/json"),
		"speech as a body":    post("/v1/synthesize", "application/json", `{"text":"Hello"}`, "audio/wav"),
		"a recording":         post("/v1/transcribe", "audio/wav", wav, "application/json"),
		"Connect":             unary(),
		"Connect with JSON":   unary(connect.WithProtoJSON()),
		"Connect, a stream":   stream(),
		"gRPC-Web":            unary(connect.WithGRPCWeb()),
		"gRPC-Web, a stream":  stream(connect.WithGRPCWeb()),
		"gRPC over HTTP port": unaryHTTP2(service + "Chat"),
		"OpenAI":              openAIRequest("/openai/v1/chat/completions", `"stream":false`),
		"OpenAI, a stream":    openAIRequest("/v1/chat/completions", `"stream":true`),
		"OpenAI's responses":  openAIRequest("/openai/v1/responses", `"stream":true`),
		"a WebSocket":         socketRequest,
	}
}

// openAIRequest is a request of OpenAI's API.
func openAIRequest(path, stream string) surface {
	return func(t *testing.T, g *guarded, key string) (http.Header, error) {
		body := `{"model":"qwen",` + stream + `,"input":"Hello","messages":[{"role":"user","content":"Hello"}]}`
		resp, text := g.post(t, path, body, "Authorization", "Bearer "+g.keys[key], "Content-Type", "application/json")
		if resp.StatusCode == http.StatusOK {
			return resp.Header, nil
		}
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "2" || !strings.Contains(text, "rate_limit_error") {
			t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
		}
		return resp.Header, errs.New(errs.RateLimited, "%s", text).WithRetryAfter(time.Second)
	}
}

// socketRequest is one request on a WebSocket, which has no header.
func socketRequest(t *testing.T, g *guarded, key string) (http.Header, error) {
	url := "ws" + strings.TrimPrefix(g.http, "http") + "/v1/synthesize/ws"
	conn, _, err := websocket.DefaultDialer.DialContext(within(t, time.Minute), url, http.Header{"Authorization": {"Bearer " + g.keys[key]}})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"text":"Hello"}`)); err != nil {
		return nil, err
	}
	_, data, err := conn.ReadMessage()
	if err == nil && strings.Contains(string(data), `"RATE_LIMITED"`) && strings.Contains(string(data), "RetryInfo") {
		err = errs.New(errs.RateLimited, "%s", data).WithRetryAfter(time.Second)
	}
	return nil, err
}

// unaryHTTP2 is gRPC on the HTTP port.
func unaryHTTP2(path string) surface {
	return func(t *testing.T, g *guarded, key string) (http.Header, error) {
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{Protocols: &protocols}
		defer transport.CloseIdleConnections()
		client := connect.NewClient[gatewayv1.ChatRequest, gatewayv1.ChatResponse](&http.Client{Transport: transport}, g.http+path, connect.WithGRPC())
		req := connect.NewRequest(&gatewayv1.ChatRequest{Messages: say("Hello")})
		req.Header().Set("Authorization", "Bearer "+g.keys[key])
		resp, err := client.CallUnary(within(t, time.Minute), req)
		if err != nil {
			return connectFailure(err)
		}
		return resp.Header(), nil
	}
}

// connectFailure returns the header and the typed form of an error of connect-go.
func connectFailure(err error) (http.Header, error) {
	var failure *connect.Error
	if !errors.As(err, &failure) || failure.Code() != connect.CodeResourceExhausted {
		return nil, err
	}
	header, e := failure.Meta(), errs.New(errs.QueueFull, "%s", failure.Message())
	for _, d := range failure.Details() {
		switch text := fmt.Sprint(d.Type(), string(d.Bytes())); {
		case strings.Contains(text, "ErrorInfo") && strings.Contains(text, "RATE_LIMITED"):
			e = errs.New(errs.RateLimited, "%s", failure.Message())
		case strings.Contains(text, "RetryInfo"):
			e = e.WithRetryAfter(time.Second)
		}
	}
	return header, e
}

// drain reads a stream to its end.
func drain[T any](stream interface{ Recv() (*T, error) }, err error) error {
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func header(stream grpc.ClientStream, err error) (http.Header, error) {
	md, _ := stream.Header()
	return canonical(md), err
}

func canonical(md metadata.MD) http.Header {
	h := http.Header{}
	for name, values := range md {
		h[http.CanonicalHeaderKey(name)] = values
	}
	return h
}
