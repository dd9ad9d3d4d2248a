package httpserver

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
)

// A body is one message: what follows it is an error, and errors of JSON are in
// plain words, on every path that takes JSON.
func TestJSONThatIsNotOneMessage(t *testing.T) {
	url := serve(t, nil)
	const plain, lines = "", "application/json"
	for _, c := range []struct{ path, accept string }{
		{"/v1/chat", plain}, {"/v1/chat:stream", "text/event-stream"}, {"/v1/synthesize", plain}, {"/v1/synthesize", lines},
		{"/v1/transcribe", plain}, {"/v1/transcribe", "text/plain"}, {"/v1/pronunciation", plain},
	} {
		for _, body := range []string{`{} {"text":"b"}`, `{}x`, `{}]`, `{"nothing_such":1}`, `{"text":`, `[]`} {
			resp, e := send(t, http.MethodPost, url+c.path, strings.NewReader(body), "Content-Type", "application/json", "Accept", c.accept)
			if resp.StatusCode != http.StatusBadRequest || e.Reason != "INVALID_REQUEST" || strings.Contains(e.Message, "proto") || strings.Contains(e.Message, "INVALID_REQUEST") || strings.Contains(e.Message, "(line ") {
				t.Errorf("%s as %q: %s: %d %+v", c.path, c.accept, body, resp.StatusCode, e)
			}
		}
	}
	for path, messages := range map[string][]string{
		speech.TranscribeSocketPath:                  {`{"nothing_such":1}`, `{} {}`},
		speech.TranscribeSocketPath + "?language=en": {`{"end":true} {}`, `{"end":true}x`},
		speech.SynthesizeSocketPath:                  {`{"nothing_such":1}`, `{"text":"a"}x`},
	} {
		for _, m := range messages {
			conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
				t.Fatal(err)
			}
			text := ""
			for !strings.Contains(text, `"error"`) && err == nil { // events come first
				var data []byte
				_, data, err = conn.ReadMessage()
				text = string(data)
			}
			if !strings.Contains(text, `"INVALID_REQUEST"`) || strings.Contains(text, "proto:") || strings.Contains(text, "(line ") {
				t.Errorf("%s: %s: %s %v", path, m, text, err)
			}
			_ = conn.Close()
		}
	}
}
