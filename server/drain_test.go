package server

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A server that is told to end goes on until those that send requests have seen
// that it is not ready. A second signal ends that.
func TestServerServesDuringTheDrainDelay(t *testing.T) {
	c := serveCommand(t, speechModels+"drain_delay: 1h\n")
	grpcAddress, httpAddress := c.addresses(t)
	conn, err := grpc.NewClient(grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := &running{chat: gatewayv1.NewModelGatewayServiceClient(conn), admin: gatewayv1.NewModelAdminServiceClient(conn)}
	status := func(path string) int {
		resp, err := http.Get("http://" + httpAddress + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	c.signal(t, syscall.SIGTERM)
	eventually(t, func() bool { return status("/readyz") == http.StatusServiceUnavailable })
	if got := status("/health"); got != http.StatusServiceUnavailable {
		t.Errorf("health is %d", got)
	}
	if resp, err := r.chat.Status(within(t, time.Minute), &gatewayv1.StatusRequest{}); err != nil || !resp.GetDraining() {
		t.Errorf("status: %v, %v", resp, err)
	}
	if err := chatOf("", "Hello")(within(t, time.Minute), r); err != nil {
		t.Errorf("a request got %v", err)
	}
	stream := open(t, r, &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{}})
	if _, err := push(t, r, next(t, stream).GetSessionId(), 0, 10, true); err != nil {
		t.Errorf("audio of a session: %v", err)
	}
	for err = nil; err == nil; {
		_, err = stream.Recv()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("the session ended with %v", err)
	}
	c.signal(t, syscall.SIGTERM)
	if code := c.end(t); code != 0 {
		t.Errorf("exit code %d: %s", code, c.errors)
	}
}

// Streams that have no work yet do not wait for the end of the process: they are
// told to go elsewhere, while the others are served.
func TestStreamsWithoutAudioEndAtShutdown(t *testing.T) {
	r := start(t, speechModels)
	busy, err := r.chat.StreamChat(within(t, time.Minute), &gatewayv1.StreamChatRequest{Messages: say(`fault: {"token_count":100000,"token_interval_us":10000}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := busy.Recv(); err != nil {
		t.Fatal(err)
	}
	session := open(t, r, &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{}})
	next(t, session)
	live, err := r.chat.StreamTranscribe(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := live.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{}}}); err != nil {
		t.Fatal(err)
	}
	clip, err := r.chat.Transcribe(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := clip.Send(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{}}}); err != nil {
		t.Fatal(err)
	}
	r.stop()
	for name, receive := range map[string]func() error{
		"OpenTranscription": func() error { _, err := session.Recv(); return err },
		"StreamTranscribe":  func() error { _, err := live.Recv(); return err },
		"Transcribe":        func() error { return clip.RecvMsg(&gatewayv1.TranscribeResponse{}) },
	} {
		t.Run(name, func(t *testing.T) { checkStatus(t, receive(), codes.Unavailable, errs.Draining, true) })
	}
	if _, err := busy.Recv(); err != nil {
		t.Errorf("the stream at work ended with %v", err)
	}
	if err := r.manager.Close(); err != nil { // instead of a wait for the stream
		t.Fatal(err)
	}
	r.end(t)
}

// A session that this server does not have may be another server's.
func TestUnknownSessionsAreLost(t *testing.T) {
	r := start(t, speechModels)
	_, err := push(t, r, "nobody", 0, 1, false)
	checkStatus(t, err, codes.Unavailable, errs.SessionLost, true)
	lost := open(t, r, &gatewayv1.OpenTranscriptionRequest{SessionId: "nobody"})
	_, err = lost.Recv()
	checkStatus(t, err, codes.Unavailable, errs.SessionLost, true)
	resp, body := r.post(t, "/v1/transcriptions:open", `{"session_id":"nobody"}`)
	checkHTTP(t, resp, body, http.StatusServiceUnavailable, codes.Unavailable, errs.SessionLost, true)
}

// What waits for a model, and for how long, is what machines are added for.
func TestQueuesAreMeasured(t *testing.T) {
	r := start(t, strings.Replace(faultModels, "max_concurrency: 16", "max_concurrency: 1", 1))
	release := occupy(t, r, "qwen")
	defer release()
	_, body := r.get(t, "/metrics")
	for _, line := range []string{`modelgateway_requests_queued{model="qwen"} 1`, `modelgateway_requests_active{model="qwen"} 1`, `modelgateway_oldest_wait_seconds{model="qwen"} `} {
		if !strings.Contains(body, line) {
			t.Errorf("no line %q", line)
		}
	}
	if strings.Contains(body, `modelgateway_oldest_wait_seconds{model="qwen"} 0`+"\n") {
		t.Error("the oldest request has not waited")
	}
}

// Proxies ask for the health under the names of their clusters.
func TestProbesHaveAnyHost(t *testing.T) {
	r := start(t, faultModels)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/health": 403, "/healthz/": 403} {
		resp, body := r.get(t, path)
		req := resp.Request.Clone(t.Context())
		req.Host = "chat-cluster"
		again, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = again.Body.Close()
		if again.StatusCode != want {
			t.Errorf("%s: %d, and %d %s for localhost", path, again.StatusCode, resp.StatusCode, body)
		}
	}
}
