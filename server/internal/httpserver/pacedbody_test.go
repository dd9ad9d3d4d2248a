package httpserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// zeros is n bytes of a body.
func zeros(n int64) io.Reader { return io.LimitReader(nothing{}, n) }

type nothing struct{}

func (nothing) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// sendThenRead writes a request and n bytes of its body, looks for the answer
// only then, and returns it with its text.
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

// What was sent fast earns no silence of minutes.
func TestAStalledUploadIsCutOff(t *testing.T) {
	url := serve(t, func(o *Options) { o.bodyPatience = 3 * time.Second })
	const head = "POST /v1/transcribe HTTP/1.1\nHost: localhost\nContent-Type: audio/wav\nContent-Length: 200000000\n\n"
	resp, text := sendThenRead(t, url, head, 5<<20)
	if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(text, "DEADLINE_EXCEEDED") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// A recording is read at the engine's pace. That is not the caller's fault, on
// either version of HTTP, however long the engine takes.
func TestTheEnginesPaceIsNotTheCallers(t *testing.T) {
	const patience, pause = 2 * time.Second, 3 * time.Second
	const size = 8 << 20
	guard := newBodyGuard(config.Limits{MaxRequestMB: 8}, newInFlight(config.Limits{MaxRequestMB: 8}), patience,
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.CopyN(io.Discard, r.Body, size/2)
			<-time.After(pause) // the engine works
			rest, after := io.Copy(io.Discard, r.Body)
			_, _ = fmt.Fprint(w, rest, err, after)
		}))
	server := httptest.NewUnstartedServer(guard)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	var clear http.Protocols
	clear.SetUnencryptedHTTP2(true)
	for name, transport := range map[string]*http.Transport{"HTTP/1": {}, "HTTP/2": {Protocols: &clear}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+transcribePath, zeros(size))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "audio/wav")
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if want := fmt.Sprint(size/2, nil, nil); resp.StatusCode != http.StatusOK || string(text) != want {
				t.Errorf("%d %s, want %s", resp.StatusCode, text, want)
			}
		})
	}
}

// A client that sends all before it reads gets its answer, though that was known
// long before.
func TestEarlyAnswersReachThoseWhoSendAllFirst(t *testing.T) {
	url := serve(t, nil)
	const size = 20 << 20
	for name, c := range map[string]struct {
		path, media string
		want        int
	}{
		"unknown option": {"/v1/transcribe?bogus=1", "audio/wav", 400},
		"no such model":  {"/v1/transcribe?model=nobody", "audio/wav", 404},
		"too large":      {"/v1/chat", "application/json", 413},
		"too large RPC":  {rpcChat, "application/json\nConnect-Protocol-Version: 1", 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			head := fmt.Sprintf("POST %s HTTP/1.1\nHost: localhost\nContent-Type: %s\nContent-Length: %d\n\n", c.path, c.media, size)
			if resp, text := sendThenRead(t, url, head, size); resp.StatusCode != c.want || !resp.Close {
				t.Errorf("%d, close %v: %s; want %d", resp.StatusCode, resp.Close, text, c.want)
			}
		})
	}
}
