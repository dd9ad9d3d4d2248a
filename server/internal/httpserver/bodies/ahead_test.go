package bodies

import (
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

// A client that is gone ends its request while nobody reads its body, whether the
// server has memory to read ahead or none.
func TestHangupEndsRequest(t *testing.T) {
	free, taken := inflight.NewPool(64<<20), inflight.NewPool(64<<20)
	others := taken.Size()/2 + 1 // nothing is left to read ahead
	if !taken.Take("others", others) {
		t.Fatal("no memory for others")
	}
	for name, pool := range map[string]*inflight.Pool{"ahead": free, "no memory": taken} {
		for half, hangUp := range map[string]func(net.Conn){
			"closed":      func(c net.Conn) { _ = c.Close() },
			"half closed": func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() },
		} {
			begun, ended := make(chan struct{}), make(chan struct{})
			handler := With(AudioStream(1<<20), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = r.Body.Read(make([]byte, 1))
				close(begun)
				<-r.Context().Done()
				close(ended)
			}))
			server := httptest.NewUnstartedServer(NewGuard(config.Limits{MaxRequestMB: 8}, pool, 0, handler))
			server.Config.ConnContext = inflight.WithConn
			server.Start()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			// More than is read without memory, by less than a receive window.
			request := "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 160_000)
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			<-begun
			hangUp(conn)
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatalf("%s, %s: the request has not ended", name, half)
			}
			_ = conn.Close()
			server.Close()
			used := pool.Used()
			if pool == taken {
				used -= others
			}
			if used != 0 {
				t.Errorf("%s, %s: %d bytes are still reserved", name, half, used)
			}
		}
	}
}

// A Content-Length alone reserves nothing, and a body that has come does.
func TestBodiesReserveAsTheyArrive(t *testing.T) {
	pool := NewPool(config.Limits{MaxRequestMB: 64})
	begun := make(chan struct{})
	handler := With(Large, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	server := httptest.NewServer(NewGuard(config.Limits{MaxRequestMB: 64}, pool, 0, handler))
	defer server.Close()
	const silent = 30
	for range silent {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 89478485\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-begun
	}
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes are reserved for bodies that have not come", used)
	}
	go func() { <-begun }()
	if resp, text := post(t, server.URL, strings.NewReader(strings.Repeat("x", 80<<20)), nil); resp.StatusCode != http.StatusOK {
		t.Errorf("beside %d silent ones: %d %s", silent, resp.StatusCode, text)
	}
}
