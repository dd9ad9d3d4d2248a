package httpserver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// crowded serves with room for 1 MiB of all large bodies and messages.
func crowded(t *testing.T) string {
	return serve(t, func(o *Options) { o.inFlight = 1 << 20 })
}

// wantRoom expects that everything is given back in the end.
func wantRoom(t *testing.T, url string) {
	t.Helper()
	body := `{"messages":[{"role":"ROLE_USER","content":"` + strings.Repeat("x", 1000<<10) + `"}]}`
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		if resp, _ := send(t, http.MethodPost, url+"/v1/chat", strings.NewReader(body)); resp.StatusCode == http.StatusOK {
			return
		}
	}
	t.Error("not all was given back")
}

// What is read ahead of recordings that do not come to their end is bounded for
// all callers together, and small requests have room beside it.
func TestRecordingsShareABound(t *testing.T) {
	url := crowded(t)
	const callers, room = 8, 4
	codes := make(chan int, callers)
	var conns []net.Conn
	for range callers {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		conns = append(conns, conn)
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		head := "POST /v1/transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\nContent-Length: 10000000\r\n\r\n"
		if _, err := io.Copy(conn, io.MultiReader(strings.NewReader(head), zeros(uploadAhead))); err != nil {
			t.Fatal(err)
		}
		go func() {
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				codes <- 0
				return
			}
			_ = resp.Body.Close()
			codes <- resp.StatusCode
		}()
	}
	for range callers - room {
		if code := <-codes; code != http.StatusTooManyRequests {
			t.Errorf("beyond the bound: %d", code)
		}
	}
	if resp, _ := send(t, http.MethodPost, url+"/v1/chat", strings.NewReader(chatJSON)); resp.StatusCode != http.StatusOK {
		t.Errorf("a small request beside them: %d", resp.StatusCode)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	for range room {
		if code := <-codes; code != 0 {
			t.Errorf("within the bound: %d", code)
		}
	}
	wantRoom(t, url)
}

// So are messages over WebSockets that do not come to their end.
func TestMessagesShareABound(t *testing.T) {
	url := crowded(t)
	ends := make(chan error, 2)
	var conns []*websocket.Conn
	for range cap(ends) {
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+transcribePath+"/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		conns = append(conns, conn)
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		w, err := conn.NextWriter(websocket.TextMessage)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, zeros(maxSocketMessage-10)); err != nil {
			t.Fatal(err)
		}
		go func() {
			var err error
			for err == nil {
				_, _, err = conn.ReadMessage()
			}
			ends <- err
		}()
	}
	if err := <-ends; !websocket.IsCloseError(err, websocket.CloseTryAgainLater) || !strings.Contains(err.Error(), "QUEUE_FULL") {
		t.Errorf("beyond the bound: %v", err)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	<-ends
	wantRoom(t, url)
}

// A message gives its room back when it has been sent on.
func TestMessagesGiveTheirRoomBack(t *testing.T) {
	url := crowded(t)
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+transcribePath+"/ws?language=en", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	for range 8 {
		if err := conn.WriteMessage(websocket.BinaryMessage, make([]byte, 400<<10)); err != nil {
			t.Fatal(err)
		}
		if _, text, err := conn.ReadMessage(); err != nil || strings.Contains(string(text), "error") {
			t.Fatalf("%s %v", text, err)
		}
	}
}
