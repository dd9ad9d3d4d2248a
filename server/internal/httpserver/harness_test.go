package httpserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// fakeService answers without models.
type fakeService struct {
	gatewayv1.UnimplementedModelGatewayServiceServer
}

func (fakeService) Chat(_ context.Context, req *gatewayv1.ChatRequest) (*gatewayv1.ChatResponse, error) {
	if len(req.GetMessages()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "no messages")
	}
	return &gatewayv1.ChatResponse{Message: req.GetMessages()[0]}, nil
}

func (fakeService) StreamChat(_ *gatewayv1.StreamChatRequest, stream grpc.ServerStreamingServer[gatewayv1.StreamChatResponse]) error {
	return stream.Send(&gatewayv1.StreamChatResponse{Delta: "one"})
}

func (fakeService) Invoke(context.Context, *gatewayv1.InvokeRequest) (*gatewayv1.InvokeResponse, error) {
	return &gatewayv1.InvokeResponse{}, nil
}

// StreamTranscribe answers each message.
func (fakeService) StreamTranscribe(stream grpc.BidiStreamingServer[gatewayv1.StreamTranscribeRequest, gatewayv1.StreamTranscribeResponse]) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return nil
		}
		if err := stream.Send(&gatewayv1.StreamTranscribeResponse{}); err != nil {
			return err
		}
	}
}

// Transcribe counts bytes. It refuses the model "nobody" before any.
func (fakeService) Transcribe(stream grpc.ClientStreamingServer[gatewayv1.TranscribeRequest, gatewayv1.TranscribeResponse]) error {
	received := 0
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&gatewayv1.TranscribeResponse{Transcript: &gatewayv1.Transcript{Text: strconv.Itoa(received)}})
		}
		if err != nil {
			return err
		}
		if m.GetConfig().GetModel() == "nobody" {
			return errs.New(errs.ModelNotFound, "no such model")
		}
		received += len(m.GetAudio())
	}
}

// fixedState is the state of a server that runs.
type fixedState struct{}

func (fixedState) Status(context.Context, *gatewayv1.StatusRequest) (*gatewayv1.StatusResponse, error) {
	return &gatewayv1.StatusResponse{}, nil
}

func (fixedState) Draining() bool { return false }

func (fixedState) Loading() bool { return false }

func (fixedState) Ready() error { return nil }

// serve starts the whole HTTP server on a loopback port, over a real gRPC server.
func serve(t *testing.T, change func(*Options)) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{
		GRPC: grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20)), State: fixedState{}, Metrics: http.NotFoundHandler(),
		Limits: config.Limits{MaxRequestMB: 8, MaxHeaderKB: 64, MaxConcurrentStreams: 100}, Log: slog.New(slog.DiscardHandler),
		Encodes: func() bool { return true },
	}
	opts.Pool = NewPool(opts.Limits)
	opts.Calls, opts.Cancels = inflight.NewShares(4000), inflight.NewRates(1000)
	if opts.Authorizer, err = auth.New(config.Auth{}, nil); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&opts)
	}
	gatewayv1.RegisterModelGatewayServiceServer(opts.GRPC, fakeService{})
	gatewayv1.RegisterModelAdminServiceServer(opts.GRPC, gatewayv1.UnimplementedModelAdminServiceServer{})
	go func() { _ = opts.GRPC.Serve(lis) }()
	t.Cleanup(opts.GRPC.Stop)
	opts.Conn, err = grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opts.Conn.Close() })
	srv, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(srv.Handler)
	server.Config = srv.Server
	server.Listener = srv.Throttled(server.Listener)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return server.URL
}

// send sends a request with headers in pairs; "Host" is its host.
func send(t *testing.T, method, url string, body io.Reader, header ...string) (*http.Response, reply.Body) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer reply.Body
	if resp.StatusCode >= http.StatusBadRequest && resp.Header.Get("Grpc-Status") == "" {
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Errorf("%s %s: %d %q: %v", method, url, resp.StatusCode, text, err)
		}
	}
	return resp, answer
}

const (
	chatJSON = `{"messages":[{"role":"ROLE_USER","content":"hi"}]}`
	rpcChat  = "/modelgateway.v1.ModelGatewayService/Chat"
)

// zeros returns n zero bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// sendThenRead writes a request and n bytes of its body, and reads the answer
// only then.
func sendThenRead(t *testing.T, url, head string, n int64) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(conn, zeros(n)); err != nil {
		t.Fatalf("the body: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the answer: %v", err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("the answer: %v", err)
	}
	return resp, string(text)
}
