package httpserver

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// The sizes to which the server holds recordings and messages, in bytes.
const (
	readAheadBytes  = 256 << 10
	maxMessageBytes = 1 << 20
)

// serveSmallPool serves with a memory for all large bodies and messages of which
// one client may hold 1 MiB.
func serveSmallPool(t *testing.T) string {
	return serve(t, func(o *Options) { o.Pool = inflight.NewPool(4<<20/3 + 1) })
}

// expectReleased expects that all memory is released in the end.
func expectReleased(t *testing.T, url string) {
	t.Helper()
	body := `{"messages":[{"role":"ROLE_USER","content":"` + strings.Repeat("x", 500<<10) + `"}]}`
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		if resp, _ := send(t, http.MethodPost, url+"/v1/chat", strings.NewReader(body)); resp.StatusCode == http.StatusOK {
			return
		}
	}
	t.Error("not all memory was released")
}

// What is read ahead of recordings that do not end is bounded for all clients
// together, and small requests pass beside it.
func TestRecordingsShareMemory(t *testing.T) {
	url := serveSmallPool(t)
	const clients, room = 8, 4
	codes := make(chan int, clients)
	var conns []net.Conn
	for range clients {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		conns = append(conns, conn)
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		head := "POST /v1/transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\nContent-Length: 10000000\r\n\r\n"
		if _, err := io.Copy(conn, io.MultiReader(strings.NewReader(head), zeros(readAheadBytes))); err != nil {
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
	for range clients - room {
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
	expectReleased(t, url)
}

// What a compressed body expands to counts, whatever its protocol.
func TestDecompressedBytesShareMemory(t *testing.T) {
	url := serveSmallPool(t)
	random := make([]byte, 300<<10)
	if _, err := rand.NewChaCha8([32]byte{}).Read(random); err != nil {
		t.Fatal(err)
	}
	// The text is 400 kB, and spaces compress to nearly nothing.
	text := `{"messages":[{"role":"ROLE_USER","content":"` + base64.StdEncoding.EncodeToString(random) + `"}]}` + strings.Repeat(" ", 300<<10)
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if body.Len() > 1<<19 {
		t.Fatalf("the body itself has %d bytes", body.Len())
	}
	for _, path := range []string{"/v1/chat", gatewayv1.ModelGatewayService_Chat_FullMethodName} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, bytes.NewReader(body.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Connect-Protocol-Version", "1")
		req.Header.Set("Content-Encoding", "gzip")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusTooManyRequests || !bytes.Contains(answer, []byte("QUEUE_FULL")) {
			t.Errorf("%s: %d %.200s", path, resp.StatusCode, answer)
		}
	}
	expectReleased(t, url)
}

// The same holds for messages over WebSockets that do not end.
func TestMessagesShareMemory(t *testing.T) {
	url := serveSmallPool(t)
	ends := make(chan error, 2)
	var conns []*websocket.Conn
	for range cap(ends) {
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+speech.TranscribeSocketPath, nil)
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
		if _, err := io.Copy(w, zeros(maxMessageBytes-10)); err != nil {
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
	expectReleased(t, url)
}

// A message releases its memory when it has been sent on.
func TestMessagesReleaseMemory(t *testing.T) {
	url := serveSmallPool(t)
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+speech.TranscribeSocketPath+"?language=en", nil)
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

// Silent WebSockets keep nobody out: a new one of the same client replaces the one
// that has been silent for the longest time, and other clients have places left.
func TestSilentSocketsKeepNobodyOut(t *testing.T) {
	url := serve(t, nil)
	dial := func(local string) *websocket.Conn {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
		dialer := websocket.Dialer{NetDialContext: from.DialContext}
		conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(url, "http")+speech.TranscribeSocketPath+"?language=en", nil)
		if err != nil {
			t.Fatalf("a client at %s: %v", local, err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	const limit = 1024 * 3 / 4 // of one client
	working := dial("127.0.0.2")
	say := func() {
		if err := working.WriteMessage(websocket.BinaryMessage, []byte("audio")); err != nil {
			t.Fatal(err)
		}
		if _, text, err := working.ReadMessage(); err != nil || strings.Contains(string(text), "error") {
			t.Fatalf("a socket at work: %s %v", text, err)
		}
	}
	if _, _, err := working.ReadMessage(); err != nil { // the answer to the config
		t.Fatal(err)
	}
	say()
	oldest := dial("127.0.0.2")
	for range limit {
		dial("127.0.0.2")
	}
	err := error(nil)
	for err == nil {
		_, _, err = oldest.ReadMessage()
	}
	if !websocket.IsCloseError(err, websocket.CloseTryAgainLater) || !strings.Contains(err.Error(), "QUEUE_FULL") {
		t.Errorf("the oldest: %v", err)
	}
	say()
	dial("127.0.0.3")
}
