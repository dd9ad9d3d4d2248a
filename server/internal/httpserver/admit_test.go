package httpserver

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// eventually waits for what has no event.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// A request that its client does not wait for counts against the rate of its peer,
// over every protocol; one that ends does not. Its place comes back in any case.
func TestCancelledRequestsCount(t *testing.T) {
	const upload = "POST /v1/transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\nContent-Length: 1000000\r\n\r\nRIFF"
	for name, c := range map[string]struct {
		send    func(t *testing.T, url string) (cancel func())
		counted bool
	}{
		"answered": {func(t *testing.T, url string) func() {
			if resp, _ := send(t, http.MethodPost, url+"/v1/chat", strings.NewReader(chatJSON)); resp.StatusCode != http.StatusOK {
				t.Error(resp.StatusCode)
			}
			return func() {}
		}, false},
		"closed in an upload": {func(t *testing.T, url string) func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, upload); err != nil {
				t.Fatal(err)
			}
			return func() { _ = conn.Close() }
		}, true},
		"reset over HTTP/2": {func(t *testing.T, url string) func() {
			var protocols http.Protocols
			protocols.SetUnencryptedHTTP2(true)
			transport := &http.Transport{Protocols: &protocols}
			t.Cleanup(transport.CloseIdleConnections)
			ctx, cancel := context.WithCancel(t.Context())
			body, more := io.Pipe()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/transcribe", body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "audio/wav")
			go func() {
				if resp, err := transport.RoundTrip(req); err == nil {
					_ = resp.Body.Close()
				}
			}()
			_, _ = more.Write([]byte("RIFF"))
			t.Cleanup(func() { _ = more.Close() })
			return cancel
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			calls, cancels := inflight.NewShares(100), inflight.NewRates(1)
			url := serve(t, func(o *Options) { o.Calls, o.Cancels = calls, cancels })
			const requests = 3 // two may be cancelled at once
			for range requests {
				cancel := c.send(t, url)
				if c.counted {
					eventually(t, "the request has no place", func() bool { return calls.Used() == 1 })
				}
				cancel()
				eventually(t, "the place does not come back", func() bool { return calls.Used() == 0 })
			}
			if wait := cancels.Wait("127.0.0.1"); (wait > 0) != c.counted {
				t.Errorf("the peer waits %s", wait)
			}
		})
	}
}

// A peer that has cancelled too much waits on new connections.
func TestPeersThatCancelTooMuchWait(t *testing.T) {
	calls, cancels := inflight.NewShares(100), inflight.NewRates(1)
	url := serve(t, func(o *Options) {
		o.Calls, o.Cancels = calls, cancels
	})
	get := func(local string) *http.Response {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
		transport := &http.Transport{DialContext: from.DialContext}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/healthz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	cancels.Count("127.0.0.2", 3)
	if resp := get("127.0.0.2"); resp.StatusCode != http.StatusOK || cancels.Wait("127.0.0.2") > 0 {
		t.Errorf("the peer did not wait: %d", resp.StatusCode)
	}
}
