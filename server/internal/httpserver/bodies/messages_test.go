package bodies

import (
	"bytes"
	"encoding/binary"
	"io"
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
