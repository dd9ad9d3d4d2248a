package httpserver

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/httpserver/rest"
)

func TestUnknownPathsAndMethodsAnswerInOneForm(t *testing.T) {
	url := serve(t, nil)
	for _, c := range []struct {
		method, path string
		want         int
		allow        string
	}{
		{"POST", "/health", 405, "GET, HEAD"},
		{"DELETE", "/readyz", 405, "GET, HEAD"},
		{"POST", "/docs/", 405, "GET, HEAD"},
		{"POST", "/", 405, "GET, HEAD"},
		{"GET", "/v1/chat", 405, "POST"},
		{"PUT", "/v1/chat:stream", 405, "POST"},
		{"POST", "/v1/models", 405, "GET"},
		{"DELETE", "/v1/models/qwen", 405, "GET"},
		{"PUT", "/v1/models/qwen:unload", 405, "POST"},
		{"GET", rpcChat, 405, "POST"},
		{"GET", "/v1/nothing", 404, ""},
		{"POST", "/nothing", 404, ""},
		{"POST", "/modelgateway.v1.ModelGatewayService/Nothing", 404, ""},
		{"POST", "/modelgateway.v1.Nothing/Chat", 404, ""},
		{"POST", rpcChat, 415, ""}, // not Connect, without its header
	} {
		resp, e := send(t, c.method, url+c.path, strings.NewReader("{}"), "Content-Type", "application/json")
		if resp.StatusCode != c.want || resp.Header.Get("Allow") != c.allow || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d, Allow %q, %s", c.method, c.path, resp.StatusCode, resp.Header.Get("Allow"), resp.Header.Get("Content-Type"))
		}
		if e.Reason != "INVALID_REQUEST" || e.Code == 0 || e.Message == "" || len(e.Details) != 1 {
			t.Errorf("%s %s: %+v", c.method, c.path, e)
		}
	}
	resp, _ := send(t, http.MethodPost, url+"/modelgateway.v1.ModelGatewayService/Nothing", strings.NewReader(""), "Content-Type", "application/grpc-web+proto")
	if got := resp.Header.Get("Grpc-Status"); got != "12" {
		t.Errorf("gRPC-Web: status %q", got)
	}
}

func TestStreamContentTypes(t *testing.T) {
	url := serve(t, nil)
	for accept, want := range map[string]string{"": "application/x-ndjson", "application/json": "application/x-ndjson", rest.EventStream: rest.EventStream} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat:stream", strings.NewReader(chatJSON))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); got != want || !strings.Contains(string(text), `"one"`) {
			t.Errorf("Accept %q: %q %q", accept, got, text)
		}
	}
	resp, _ := send(t, http.MethodPost, url+"/v1/chat", strings.NewReader(chatJSON))
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("one answer: %q", got)
	}
}
