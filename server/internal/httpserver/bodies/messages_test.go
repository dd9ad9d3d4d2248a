package bodies

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/stats"

	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// framed returns messages in gRPC's framing.
func framed(count, size int) []byte {
	var b []byte
	for range count {
		b = binary.BigEndian.AppendUint32(append(b, 0), uint32(size)) //nolint:gosec // small
		b = append(b, make([]byte, size)...)
	}
	return b
}

// Messages that their service has not received are not read without end, also if
// they are empty.
func TestMessageStreamsWaitForTheirService(t *testing.T) {
	for name, body := range map[string][]byte{"large": framed(100, 100_000), "empty": framed(100_000, 0)} {
		var read atomic.Int64
		unreceived := make(chan int64, 1) // what was read before the service received any
		server := httptest.NewServer(NewGuard(config.Limits{MaxRequestMB: 6}, NewPool(config.Limits{}), 0, With(MessageStream,
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ended := make(chan struct{})
				go func() { // as gRPC reads
					defer close(ended)
					buf := make([]byte, 16<<10)
					for {
						n, err := r.Body.Read(buf)
						read.Add(int64(n))
						if err != nil {
							return
						}
					}
				}()
				m := r.Context().Value(messagesKey{}).(*messageBody)
				for m.awaitBacklog() { // until Read waits
					time.Sleep(time.Millisecond)
				}
				unreceived <- read.Load()
				for {
					select {
					case <-ended:
						return
					default:
						Received{}.HandleRPC(r.Context(), &stats.InPayload{})
					}
				}
			}))))
		done := make(chan struct{})
		go func() {
			defer close(done)
			resp, err := http.Post(server.URL, "application/grpc", bytes.NewReader(body)) //nolint:noctx // ends with the server
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		}()
		if n := <-unreceived; n > maxBacklog+100_000 {
			t.Errorf("%s: %d bytes were read before the service received any", name, n)
		}
		<-done
		if n := read.Load(); n != int64(len(body)) {
			t.Errorf("%s: %d of %d bytes were read", name, n, len(body))
		}
		server.Close()
	}
}

// awaitBacklog reports whether more may be read.
func (m *messageBody) awaitBacklog() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.backlog < maxBacklog
}

// A client that owes a message, also the first, must send it in time. Between
// messages it may be silent.
func TestMessagesMustArriveInTime(t *testing.T) {
	const timeout = 100 * time.Millisecond
	server := httptest.NewServer(NewGuard(config.Limits{MaxRequestMB: 6}, NewPool(config.Limits{}), timeout, With(MessageStream,
		http.HandlerFunc(drain))))
	defer server.Close()
	for name, c := range map[string]struct {
		sent []byte
		code int
	}{
		"nothing":          {nil, http.StatusRequestTimeout},
		"half a prefix":    {[]byte{0, 0}, http.StatusRequestTimeout},
		"half a message":   {framed(1, 9)[:8], http.StatusRequestTimeout},
		"a second message": {append(framed(1, 9), 0), http.StatusRequestTimeout},
		"whole messages":   {framed(2, 9), http.StatusOK},
	} {
		body, upload := io.Pipe()
		go func() {
			_, _ = upload.Write(c.sent)
			if c.code == http.StatusOK {
				time.Sleep(3 * timeout) // what is tested
				_ = upload.Close()
			}
		}()
		resp, text := post(t, server.URL, body, nil)
		_ = upload.Close()
		if resp.StatusCode != c.code {
			t.Errorf("%s: %d %s, want %d", name, resp.StatusCode, text, c.code)
		}
	}
}

// What is unfinished counts in the pool.
func TestUnfinishedMessagesCountInThePool(t *testing.T) {
	pool := inflight.NewPool(2 << 20)
	server := httptest.NewServer(NewGuard(config.Limits{MaxRequestMB: 6}, pool, 0, With(MessageStream,
		http.HandlerFunc(drain))))
	defer server.Close()
	resp, text := post(t, server.URL, bytes.NewReader(framed(1, 3<<20)), nil)
	if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(text, "QUEUE_FULL") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes are still used", used)
	}
}

// drain reads a body, and answers as gRPC does.
func drain(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.WriteHeader(http.StatusOK)
}

// asGRPC reads bodies as gRPC does: without regard to the service, until the
// service has answered and the body is closed.
func asGRPC(service func(http.ResponseWriter, *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.Copy(io.Discard, r.Body)
		}()
		service(w, r)
		_ = r.Body.Close()
		<-ended
	})
}

// A service may answer before the end of its messages, whether its client goes on
// to send or is silent.
func TestServicesAnswerBeforeTheEndOfTheirMessages(t *testing.T) {
	for name, sent := range map[string][]byte{"backlog": framed(10, 100_000), "silence": framed(1, 9)} {
		for _, http2 := range []bool{false, true} {
			guard := NewGuard(config.Limits{MaxRequestMB: 6}, NewPool(config.Limits{}), 0, With(MessageStream,
				asGRPC(func(w http.ResponseWriter, r *http.Request) {
					m := r.Context().Value(messagesKey{}).(*messageBody)
					for full := false; !full; time.Sleep(time.Millisecond) {
						m.mu.Lock()
						full = m.backlog >= maxBacklog || name == "silence" && m.backlog > 0
						m.mu.Unlock()
					}
					w.WriteHeader(http.StatusOK)
				})))
			server := httptest.NewUnstartedServer(guard)
			var protocols http.Protocols
			protocols.SetHTTP1(!http2)
			protocols.SetUnencryptedHTTP2(http2)
			server.Config.Protocols = &protocols
			server.Start()
			client := &http.Client{Transport: &http.Transport{Protocols: &protocols}, Timeout: 20 * time.Second}
			body, upload := io.Pipe()
			go func() { _, _ = upload.Write(sent) }()
			resp, err := client.Post(server.URL, "application/grpc", body) //nolint:noctx // has a timeout
			if err != nil {
				t.Errorf("%s, HTTP/2 %t: %v", name, http2, err)
			} else if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Errorf("%s, HTTP/2 %t: the end of the answer: %v", name, http2, err)
			} else {
				_ = resp.Body.Close()
			}
			_ = upload.Close()
			server.CloseClientConnections()
			server.Close()
		}
	}
}

// A client that leaves cancels the request, also while its messages wait for a
// service that is busy.
func TestMessageStreamsNoticeThatTheirClientLeaves(t *testing.T) {
	for name, sent := range map[string][]byte{"backlog": framed(3, 100_000), "some": framed(1, 9), "half": framed(1, 9)[:8]} {
		busy, cancelled := make(chan struct{}), make(chan struct{})
		server := httptest.NewUnstartedServer(NewGuard(config.Limits{MaxRequestMB: 6}, NewPool(config.Limits{}), 0, With(MessageStream,
			asGRPC(func(_ http.ResponseWriter, r *http.Request) {
				m := r.Context().Value(messagesKey{}).(*messageBody)
				for name == "backlog" && m.awaitBacklog() {
					time.Sleep(time.Millisecond)
				}
				close(busy)
				<-r.Context().Done()
				close(cancelled)
			}))))
		server.Config.ConnContext = inflight.WithConn
		server.Start()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n%s", sent)
		<-busy
		_ = conn.Close()
		select {
		case <-cancelled:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the service still works", name)
		}
		server.Close()
	}
}

// The time in which messages wait for their service is not the client's.
func TestMessagesThatWaitForTheirServiceAreNotLate(t *testing.T) {
	const timeout = 200 * time.Millisecond
	server := httptest.NewServer(NewGuard(config.Limits{MaxRequestMB: 6}, NewPool(config.Limits{}), timeout, With(MessageStream,
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				time.Sleep(3 * timeout) // what is tested
				for r.Context().Err() == nil {
					Received{}.HandleRPC(r.Context(), &stats.InPayload{})
					time.Sleep(time.Millisecond)
				}
			}()
			drain(w, r)
		}))))
	defer server.Close()
	resp, text := post(t, server.URL, bytes.NewReader(framed(100, 100_000)), nil)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}
