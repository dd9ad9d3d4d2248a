package httpserver_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// TestConnectionAfterAStream checks that a connection can be used again after each
// form of a stream: the next request must not begin with a context that has ended.
func TestConnectionAfterAStream(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	upload := rpcUpload(t)
	for name, header := range map[string][]string{
		"gRPC-Web": {"Content-Type", "application/grpc-web+proto"},
		"Connect":  {"Content-Type", "application/connect+proto", "Connect-Protocol-Version", "1"},
		"refused":  {"Content-Type", "application/json", "Connect-Protocol-Version", "1"},
		"audio":    {"Content-Type", "audio/wav"},
	} {
		t.Run(name, func(t *testing.T) {
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			for range 3 {
				path := transcribeRPC
				if name == "audio" {
					path = "/v1/transcribe"
				}
				req, err := http.NewRequestWithContext(servertest.Within(t, time.Minute), http.MethodPost, r.URL+path, bytes.NewReader(upload))
				if err != nil {
					t.Fatal(err)
				}
				for i := 0; i+1 < len(header); i += 2 {
					req.Header.Set(header[i], header[i+1])
				}
				do(t, client, req)
				reused := false
				trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}
				ctx := httptrace.WithClientTrace(servertest.Within(t, time.Minute), trace)
				req, err = http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/v1/chat", bytes.NewReader([]byte(userSays)))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				if resp, body := do(t, client, req); resp.StatusCode != http.StatusOK {
					t.Fatalf("the next request (connection reused: %t): %d %s", reused, resp.StatusCode, body)
				}
			}
		})
	}
}

func do(t *testing.T, client *http.Client, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
