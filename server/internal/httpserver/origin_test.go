package httpserver

import (
	"io"
	"net/http"
	"strings"
	"testing"
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

func TestRefusalsUseTheCallersProtocol(t *testing.T) {
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
