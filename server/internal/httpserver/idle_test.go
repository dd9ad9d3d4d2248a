package httpserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
)

func TestIdleSocketsEnd(t *testing.T) {
	url := serve(t, func(o *Options) { o.socketIdleTimeout = 50 * time.Millisecond })
	for path, begin := range map[string]string{
		speech.TranscribeSocketPath: "", speech.SynthesizeSocketPath: "", speech.TranscribeSocketPath + "?language=en": "", speech.TranscribeSocketPath + "#begun": `{"language":"en"}`,
	} {
		path, _, _ = strings.Cut(path, "#")
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if begin != "" {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(begin)); err != nil {
				t.Fatal(err)
			}
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		text := ""
		for !strings.Contains(text, "error") { // events come first
			_, data, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
		if !strings.Contains(text, `"reason":"DEADLINE_EXCEEDED"`) || !strings.Contains(text, "no message arrived for 50ms") {
			t.Errorf("%s: %s", path, text)
		}
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("%s: %v", path, err)
		}
		_ = conn.Close()
	}
}

// A client that sends nothing of a message that it owes gets an answer in time, in
// each protocol and on each kind of RPC.
func TestSilentBodiesEnd(t *testing.T) {
	url := serve(t, func(o *Options) { o.bodyReadTimeout = 50 * time.Millisecond })
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	http2 := &http.Transport{Protocols: &protocols}
	defer http2.CloseIdleConnections()
	for _, media := range []string{"application/grpc-web+proto", "application/connect+proto", "application/proto", "application/grpc"} {
		for _, method := range []string{"Chat", "StreamChat", "Transcribe", "StreamTranscribe"} {
			for name, sent := range map[string]string{"nothing": "", "half a message": "\x00\x00\x00\x00\x05x"} {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				body, upload := io.Pipe()
				go func() { _, _ = upload.Write([]byte(sent)) }()
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, url+"/modelgateway.v1.ModelGatewayService/"+method, body)
				req.Header.Set("Content-Type", media)
				if _, err := readAll(http2.RoundTrip(req)); err != nil {
					t.Errorf("HTTP/2, %s, %s, %s: %v", media, method, name, err)
				}
				_ = upload.Close()
				cancel()

				conn, err := net.Dial("tcp", req.URL.Host)
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n%s", req.URL.Path, media, sent)
				if _, err := readAll(http.ReadResponse(bufio.NewReader(conn), req)); err != nil {
					t.Errorf("HTTP/1.1, %s, %s, %s: %v", media, method, name, err)
				}
				_ = conn.Close()
			}
		}
	}
}

// readAll reads the body of a response.
func readAll(resp *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}
