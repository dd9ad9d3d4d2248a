package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestDocumentationNeedsNoOtherServer(t *testing.T) {
	r := start(t, faultModels)
	resp, page := r.get(t, "/docs")
	if resp.StatusCode != http.StatusOK || !strings.Contains(page, "swagger-ui") {
		t.Fatalf("%d %s", resp.StatusCode, page)
	}
	for _, far := range []string{`src="http`, `src="//`, `href="http`, `href="//`, "import "} {
		if at := strings.Index(page, far); at >= 0 {
			t.Errorf("the page names %s", page[at:min(at+60, len(page))])
		}
	}
	for _, asset := range []string{"/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui-standalone-preset.js"} {
		if resp, body := r.get(t, asset); resp.StatusCode != http.StatusOK || len(body) < 1000 {
			t.Errorf("%s: %d, %d bytes", asset, resp.StatusCode, len(body))
		}
	}
	resp, text := r.get(t, "/openapi.json")
	var doc struct {
		Info  struct{ Title, Version string }
		Paths map[string]any
		Tags  []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(err)
	}
	if doc.Info.Title != "ModelGateway" || doc.Info.Version != "test" || doc.Paths["/v1/chat"] == nil || len(doc.Tags) != 2 {
		t.Errorf("%+v, %+v", doc.Info, doc.Tags)
	}
}

func TestCORSIsOffUnlessAskedFor(t *testing.T) {
	preflight := func(r *running, origin string) string {
		req, err := http.NewRequestWithContext(within(t, time.Second), http.MethodOptions, r.http+"/modelgateway.v1.ModelGatewayService/Chat", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", "POST")
		req.Header.Set("Access-Control-Request-Headers", "content-type,x-grpc-web")
		resp, _ := do(t, req)
		return resp.Header.Get("Access-Control-Allow-Origin")
	}
	closed := start(t, faultModels)
	if got := preflight(closed, "https://app.example.org"); got != "" {
		t.Errorf("%q is allowed by default", got)
	}
	open := start(t, faultModels+"cors: {allowed_origins: [\"https://app.example.org\"]}\n")
	if got := preflight(open, "https://app.example.org"); got != "https://app.example.org" {
		t.Errorf("the page of the configuration gets %q", got)
	}
	if got := preflight(open, "https://evil.example.org"); got != "" {
		t.Errorf("another page gets %q", got)
	}
}

func TestTooLargeRequestsAreRefused(t *testing.T) {
	r := start(t, faultModels+"limits: {max_request_mb: 1}\n")
	_, err := r.chat.Recognize(within(t, 20*time.Second), &gatewayv1.RecognizeRequest{Audio: make([]byte, 2<<20)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC: %v", err)
	}
	big := `{"messages":[{"role":"ROLE_USER","content":"` + strings.Repeat("x", 3<<20) + `"}]}`
	if resp, body := r.post(t, "/v1/chat", big); resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "INVALID_REQUEST") {
		t.Errorf("REST: %d %s", resp.StatusCode, body)
	}
	req, err := http.NewRequestWithContext(within(t, 20*time.Second), http.MethodPost, r.http+"/v1/chat", io.MultiReader(strings.NewReader(big))) // of unknown length
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := do(t, req); resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "INVALID_REQUEST") {
		t.Errorf("REST, chunked: %d %s", resp.StatusCode, body)
	}
}

func TestAudioOfTheLargestSizePasses(t *testing.T) {
	r := start(t, faultModels+"  transcribe: {primary: qwen}\n")
	audio := make([]byte, 64<<20)
	resp, err := r.chat.Recognize(within(t, time.Minute), &gatewayv1.RecognizeRequest{Audio: audio}, grpc.MaxCallSendMsgSize(256<<20))
	if err != nil || resp.GetTranscript().GetText() != "67108864 bytes" {
		t.Errorf("gRPC: %v, %v", resp, err)
	}
	answer, body := r.post(t, "/v1/transcribe", `{"audio":"`+strings.Repeat("AAAA", 16<<20)+`"}`)
	if answer.StatusCode != http.StatusOK || !strings.Contains(body, "50331648 bytes") {
		t.Errorf("REST: %d %s", answer.StatusCode, body)
	}
}

// All REST callers share one connection to the gRPC server inside; it must not
// be what limits them.
func TestManyStreamsOverREST(t *testing.T) {
	r := start(t, strings.Replace(faultModels, "max_concurrency: 16", "max_concurrency: 300", 1)+"limits: {max_concurrent_streams: 8}\n")
	const streams = 200
	arrived := make(chan struct{}, streams)
	release := make(chan struct{})
	var group sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range streams {
		group.Go(func() {
			body := chatBody("", `fault: {"fault":"stall","fault_after_tokens":1}`).body
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.http+"/v1/chat:stream", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
				t.Error(err)
			}
			arrived <- struct{}{}
			<-release
		})
	}
	for range streams {
		select {
		case <-arrived:
		case <-ctx.Done():
			t.Fatal("not every stream began")
		}
	}
	close(release)
	group.Wait()
	eventually(t, func() bool { return model(t, r, "qwen").GetActiveCount() == 0 })
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the header timeout")
	}
	r := start(t, faultModels)
	conn, err := net.Dial("tcp", r.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "POST /v1/chat HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("the connection was not closed: %v", err)
	}
}

func TestServeOverAUnixSocket(t *testing.T) {
	socket := t.TempDir() + "/g.sock"
	r := start(t, strings.Replace(faultModels, "grpc_listen: 127.0.0.1:0", "grpc_listen: unix:"+socket, 1))
	if err := chatOf("", "Hello")(within(t, 20*time.Second), r); err != nil || r.GRPCAddr().Network() != "unix" {
		t.Errorf("%s: %v", r.GRPCAddr(), err)
	}
}
