package httpserver_test

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
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

func TestDocsNeedNoOtherServer(t *testing.T) {
	r := start(t, servertest.FaultModels)
	resp, page := r.Get(t, "/docs")
	if resp.StatusCode != http.StatusOK || !strings.Contains(page, "swagger-ui") {
		t.Fatalf("%d %s", resp.StatusCode, page)
	}
	for _, external := range []string{`src="http`, `src="//`, `href="http`, `href="//`, "import "} {
		if at := strings.Index(page, external); at >= 0 {
			t.Errorf("the page refers to %s", page[at:min(at+60, len(page))])
		}
	}
	for _, asset := range []string{"/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui-standalone-preset.js"} {
		if resp, body := r.Get(t, asset); resp.StatusCode != http.StatusOK || len(body) < 1000 {
			t.Errorf("%s: %d, %d bytes", asset, resp.StatusCode, len(body))
		}
	}
	resp, text := r.Get(t, "/openapi.json")
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

func TestCORSIsOffByDefault(t *testing.T) {
	preflight := func(r *servertest.Running, origin string) string {
		req, err := http.NewRequestWithContext(servertest.Within(t, time.Second), http.MethodOptions, r.URL+"/modelgateway.v1.ModelGatewayService/Chat", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", "POST")
		req.Header.Set("Access-Control-Request-Headers", "content-type,x-grpc-web")
		resp, _ := servertest.Do(t, req)
		return resp.Header.Get("Access-Control-Allow-Origin")
	}
	closed := start(t, servertest.FaultModels)
	if got := preflight(closed, "https://app.example.org"); got != "" {
		t.Errorf("%q is allowed by default", got)
	}
	open := start(t, servertest.FaultModels+"cors: {allowed_origins: [\"https://app.example.org\"]}\n")
	if got := preflight(open, "https://app.example.org"); got != "https://app.example.org" {
		t.Errorf("the page of the configuration gets %q", got)
	}
	if got := preflight(open, "https://evil.example.org"); got != "" {
		t.Errorf("another page gets %q", got)
	}
}

func TestTooLargeRequestsAreRefused(t *testing.T) {
	r := start(t, servertest.FaultModels+"limits: {max_request_mb: 1}\n")
	_, err := r.Chat.Recognize(servertest.Within(t, 20*time.Second), &gatewayv1.RecognizeRequest{Audio: make([]byte, 2<<20)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC: %v", err)
	}
	big := `{"messages":[{"role":"ROLE_USER","content":"` + strings.Repeat("x", 3<<20) + `"}]}`
	if resp, body := r.Post(t, "/v1/chat", big); resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "INVALID_REQUEST") {
		t.Errorf("REST: %d %s", resp.StatusCode, body)
	}
	req, err := http.NewRequestWithContext(servertest.Within(t, 20*time.Second), http.MethodPost, r.URL+"/v1/chat", io.MultiReader(strings.NewReader(big))) // of unknown length
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := servertest.Do(t, req); resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "INVALID_REQUEST") {
		t.Errorf("REST, chunked: %d %s", resp.StatusCode, body)
	}
}

func TestLargestAudioIsAccepted(t *testing.T) {
	r := start(t, servertest.FaultModels+"  transcribe: {primary: qwen}\n")
	audio := make([]byte, 64<<20)
	resp, err := r.Chat.Recognize(servertest.Within(t, time.Minute), &gatewayv1.RecognizeRequest{Audio: audio}, grpc.MaxCallSendMsgSize(256<<20))
	if err != nil || resp.GetTranscript().GetText() != "67108864 bytes" {
		t.Errorf("gRPC: %v, %v", resp, err)
	}
	answer, body := r.Post(t, "/v1/transcribe", `{"audio":"`+strings.Repeat("AAAA", 16<<20)+`"}`)
	if answer.StatusCode != http.StatusOK || !strings.Contains(body, "50331648 bytes") {
		t.Errorf("REST: %d %s", answer.StatusCode, body)
	}
}

// All REST requests share one connection to the gRPC server of the process, which
// must not limit their number.
func TestManyStreamsOverREST(t *testing.T) {
	r := start(t, strings.Replace(servertest.FaultModels, "max_concurrency: 16", "max_concurrency: 300", 1)+"limits: {max_concurrent_streams: 8}\n")
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
			const body = `{"messages":[{"role":"ROLE_USER","content":"fault: {\"fault\":\"stall\",\"fault_after_tokens\":1}"}]}`
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/v1/chat:stream", strings.NewReader(body))
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
	servertest.Eventually(t, func() bool { return r.Model(t, "qwen").GetActiveCount() == 0 })
}

func TestSlowHeadersTimeOut(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the header timeout")
	}
	r := start(t, servertest.FaultModels)
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
