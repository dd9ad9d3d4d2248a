package httpserver

import (
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
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
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
