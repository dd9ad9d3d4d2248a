package httpserver

import (
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

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// echoing answers what the tests ask of a gateway.
type echoing struct {
	gatewayv1.UnimplementedModelGatewayServiceServer
}

func (echoing) Chat(_ context.Context, req *gatewayv1.ChatRequest) (*gatewayv1.ChatResponse, error) {
	if len(req.GetMessages()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "no messages")
	}
	return &gatewayv1.ChatResponse{Message: req.GetMessages()[0]}, nil
}

func (echoing) StreamChat(_ *gatewayv1.StreamChatRequest, stream grpc.ServerStreamingServer[gatewayv1.StreamChatResponse]) error {
	return stream.Send(&gatewayv1.StreamChatResponse{Delta: "one"})
}

func (echoing) Invoke(context.Context, *gatewayv1.InvokeRequest) (*gatewayv1.InvokeResponse, error) {
	return &gatewayv1.InvokeResponse{}, nil
}

// StreamTranscribe answers each message.
func (echoing) StreamTranscribe(stream grpc.BidiStreamingServer[gatewayv1.StreamTranscribeRequest, gatewayv1.StreamTranscribeResponse]) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return nil
		}
		if err := stream.Send(&gatewayv1.StreamTranscribeResponse{}); err != nil {
			return err
		}
	}
}

// Transcribe counts bytes. The model "nobody" is refused before any.
func (echoing) Transcribe(stream grpc.ClientStreamingServer[gatewayv1.TranscribeRequest, gatewayv1.TranscribeResponse]) error {
	heard := 0
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&gatewayv1.TranscribeResponse{Transcript: &gatewayv1.Transcript{Text: strconv.Itoa(heard)}})
		}
		if err != nil {
			return err
		}
		if m.GetConfig().GetModel() == "nobody" {
			return errs.New(errs.ModelNotFound, "no such model")
		}
		heard += len(m.GetAudio())
	}
}

// serve starts the whole HTTP side on a loopback port, over a real gRPC server.
func serve(t *testing.T, change func(*Options)) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{
		GRPC: grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20)), State: fixed{status: &gatewayv1.StatusResponse{}}, Metrics: http.NotFoundHandler(),
		Limits: config.Limits{MaxRequestMB: 8, MaxHeaderKB: 64, MaxConcurrentStreams: 100}, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&opts)
	}
	gatewayv1.RegisterModelGatewayServiceServer(opts.GRPC, echoing{})
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
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// send makes a request with headers in pairs; "Host" is its host.
func send(t *testing.T, method, url string, body io.Reader, header ...string) (*http.Response, errorBody) {
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
	var answer errorBody
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

func TestPagesOfOtherOriginsCannotPost(t *testing.T) {
	closed := serve(t, nil)
	open := serve(t, func(o *Options) { o.CORS.AllowedOrigins = []string{"https://app.example", "https://*.wild.example"} })
	any := serve(t, func(o *Options) { o.CORS.AllowedOrigins = []string{"*"} })
	for _, c := range []struct {
		name, url string
		header    []string
		want      int
	}{
		{"no browser", closed + "/v1/chat", nil, 200},
		{"another origin", closed + "/v1/chat", []string{"Origin", "https://evil.example"}, 403},
		{"another site", closed + "/v1/chat", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"another port", closed + "/v1/chat", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"an opaque origin", closed + "/v1/models/qwen:unload", []string{"Origin", "null"}, 403},
		{"health", closed + "/health", []string{"Origin", "https://evil.example"}, 403},
		{"RPC", closed + rpcChat, []string{"Origin", "https://evil.example"}, 403},
		{"the same origin", closed + "/v1/chat", []string{"Origin", closed, "Sec-Fetch-Site", "same-origin"}, 200},
		{"an allowed origin", open + "/v1/chat", []string{"Origin", "https://app.example", "Sec-Fetch-Site", "cross-site"}, 200},
		{"an allowed pattern", open + "/v1/chat", []string{"Origin", "https://a.wild.example", "Sec-Fetch-Site", "cross-site"}, 200},
		{"not an allowed one", open + "/v1/chat", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"any", any + "/v1/chat", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 200},
	} {
		resp, e := send(t, http.MethodPost, c.url, strings.NewReader(chatJSON), append(c.header, "Content-Type", "text/plain")...)
		if resp.StatusCode != c.want || c.want == 403 && (e.Reason != "FORBIDDEN" || len(e.Details) == 0) {
			t.Errorf("%s: %d %+v, want %d", c.name, resp.StatusCode, e, c.want)
		}
	}
}

func TestRefusalsSpeakTheCallersProtocol(t *testing.T) {
	url := serve(t, nil) + rpcChat
	resp, _ := send(t, http.MethodPost, url, strings.NewReader(""), "Content-Type", "application/grpc-web+proto", "Origin", "https://evil.example")
	if got := resp.Header.Get("Grpc-Status"); resp.StatusCode != http.StatusOK || got != "7" {
		t.Errorf("gRPC-Web: %d, status %q", resp.StatusCode, got)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(chatJSON))
	req.Header = http.Header{"Content-Type": {"application/json"}, "Connect-Protocol-Version": {"1"}, "Origin": {"https://evil.example"}}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusForbidden || !strings.Contains(string(text), `"code":"permission_denied"`) {
		t.Errorf("Connect: %d %s", resp.StatusCode, text)
	}
}

func TestALoopbackListenerAnswersOnlyToItsOwnNames(t *testing.T) {
	url := serve(t, nil)
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8001": 200, "localhost.:8001": 200, "127.0.0.1": 200, "127.8.9.1:80": 200,
		"[::1]": 200, "[::1]:8001": 200,
		"evil.example": 403, "evil.example:8001": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
		"10.0.0.1": 403, "0.0.0.0:8001": 403,
	} {
		resp, e := send(t, http.MethodGet, url+"/health", nil, "Host", host)
		if resp.StatusCode != want || want == 403 && e.Reason != "FORBIDDEN" {
			t.Errorf("%s: %d %+v, want %d", host, resp.StatusCode, e, want)
		}
	}
}
