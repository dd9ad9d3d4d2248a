package bodies

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
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// post posts a body and returns the answer with its body.
func post(t *testing.T, url string, body io.Reader, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
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
	return resp, string(text)
}

func TestLargeBodiesShareMemory(t *testing.T) {
	const poolBytes = 24 << 20
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	read := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil && r.Header.Get("Stay") != "" {
			entered <- struct{}{}
			<-leave
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/large", With(Large, http.HandlerFunc(read)))
	mux.Handle("/small", With(Small, http.HandlerFunc(read)))
	pool := inflight.NewPool(poolBytes)
	server := httptest.NewServer(NewGuard(config.Limits{MaxRequestMB: 64}, pool, 0, mux))
	defer server.Close()
	large := strings.Repeat("x", 8<<20)
	first := make(chan int, 1)
	go func() {
		resp, _ := post(t, server.URL+"/large", strings.NewReader(large), http.Header{"Stay": {"1"}})
		first <- resp.StatusCode
	}()
	<-entered
	if used := pool.Used(); used < 2*int64(len(large)) {
		t.Errorf("%d bytes are reserved, want twice the body: it is copied when it is decoded", used)
	}
	for name, body := range map[string]io.Reader{
		"known length": strings.NewReader(large), "chunked": io.MultiReader(strings.NewReader(large)),
	} {
		resp, text := post(t, server.URL+"/large", body, nil)
		if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(text, `"QUEUE_FULL"`) || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d %s %v", name, resp.StatusCode, text, resp.Header)
		}
	}
	if resp, _ := post(t, server.URL+"/small", strings.NewReader("small"), nil); resp.StatusCode != http.StatusOK {
		t.Errorf("a small body: %d", resp.StatusCode)
	}
	close(leave)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first body: %d", code)
	}
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes are still reserved", used)
	}
}

// The policy of a route is the last that was applied; without one, a body is
// small.
func TestPolicies(t *testing.T) {
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	mux := http.NewServeMux()
	mux.Handle("/none", read)
	mux.Handle("/small", With(Small, read))
	mux.Handle("/large", With(Large, read))
	mux.Handle("/large-then-large", With(Large, With(Large, read)))
	mux.Handle("/large-then-small", With(Large, With(Small, read)))
	mux.Handle("/audio", With(AudioStream(1<<20), read))
	mux.Handle("/messages", With(MessageStream, read))
	server := httptest.NewServer(NewGuard(config.Limits{MaxRequestMB: 6}, NewPool(config.Limits{}), 0, mux)) // large is 8 MiB
	defer server.Close()
	for path, largest := range map[string]int{
		"/none": 4, "/small": 4, "/large": 8, "/large-then-large": 8, "/large-then-small": 4, "/audio": 100, "/messages": 100,
	} {
		for _, mb := range []int{3, 5, 9} {
			for name, body := range map[string]io.Reader{
				"known length": strings.NewReader(strings.Repeat("x", mb<<20)), "chunked": io.MultiReader(strings.NewReader(strings.Repeat("x", mb<<20))),
			} {
				resp, text := post(t, server.URL+path, body, nil)
				code, want := http.StatusOK, fmt.Sprint(mb<<20, nil)
				if mb > largest {
					code, want = http.StatusRequestEntityTooLarge, "too large"
				}
				if resp.StatusCode != code || !strings.Contains(text, want) {
					t.Errorf("%s, %s of %d MiB: %d %s, want %d %s", path, name, mb, resp.StatusCode, text, code, want)
				}
			}
		}
	}
}

// A recording is read at the engine's pace. That does not count against the
// client, on either version of HTTP, however long the engine takes.
func TestSlowEngineDoesNotEndBody(t *testing.T) {
	const timeout, pause = 2 * time.Second, 3 * time.Second
	const size = 8 << 20
	limits := config.Limits{MaxRequestMB: 8}
	handler := With(AudioStream(1<<20), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.CopyN(io.Discard, r.Body, size/2)
		<-time.After(pause) // the engine works
		rest, after := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, rest, err, after)
	}))
	server := httptest.NewUnstartedServer(NewGuard(limits, NewPool(limits), timeout, handler))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	var http2 http.Protocols
	http2.SetUnencryptedHTTP2(true)
	for name, transport := range map[string]*http.Transport{"HTTP/1": {}, "HTTP/2": {Protocols: &http2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer transport.CloseIdleConnections()
			body := io.MultiReader(strings.NewReader(strings.Repeat("x", size)))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
			if err != nil {
				t.Fatal(err)
			}
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

// A body that ends before its announced length is an error that says so.
func TestBodyCutOff(t *testing.T) {
	limits := config.Limits{MaxRequestMB: 8}
	server := httptest.NewServer(NewGuard(limits, NewPool(limits), 0, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})))
	defer server.Close()
	for request, want := range map[string]string{
		"Content-Length: 1000\r\n\r\nhalf":             "got 4 of 1000 bytes",
		"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf":  "cut off after 4 bytes",
		"Transfer-Encoding: chunked\r\n\r\n40\r\nhalf": "cut off after 4 bytes",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\n"+request); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), want) || !strings.Contains(string(text), "INVALID_REQUEST") {
			t.Errorf("%q: %d %s, want %s", request, resp.StatusCode, text, want)
		}
	}
}
