package e2e

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// socketMessage is a JSON message from the server.
type socketMessage struct {
	Event struct {
		Interim *struct{}
		Final   *struct{ Text string }
	}
	Rate     int                     `json:"sample_rate_hertz"`
	ServedBy *struct{ Model string } `json:"served_by"`
	Error    *struct{ Reason, Message string }
}

func dial(t *testing.T, s *server, path string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http, "http")+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	return conn
}

// receive reads a message: JSON, or bytes.
func receive(t *testing.T, conn *websocket.Conn) (m socketMessage, pcm []byte) {
	t.Helper()
	kind, data, err := conn.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	if kind == websocket.BinaryMessage {
		return m, data
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	if m.Error != nil {
		t.Fatalf("%+v", m.Error)
	}
	return m, nil
}

// Speech from one WebSocket is transcribed by the other, with the same results as
// over gRPC.
func TestSpeechOverSockets(t *testing.T) {
	s := start(t, speechModels)
	want := s.say(t, readAloud)
	speaker := dial(t, s, "/v1/synthesize/ws")
	request, err := json.Marshal(map[string]any{"text": readAloud, "noise_scale": 0, "noise_w": 0})
	if err != nil {
		t.Fatal(err)
	}
	if err := speaker.WriteMessage(websocket.TextMessage, request); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	rate := 0
	for served := ""; served == ""; {
		m, pcm := receive(t, speaker)
		got.Write(pcm)
		rate = max(rate, m.Rate)
		if m.ServedBy != nil {
			served = m.ServedBy.Model
		}
	}
	if rate != want.rate || !bytes.Equal(got.Bytes(), want.pcm) {
		t.Fatalf("%d bytes at %d Hz, want %d at %d Hz", got.Len(), rate, len(want.pcm), want.rate)
	}
	text, err := s.transcribe(within(t, patience), &gatewayv1.TranscriptionConfig{Language: "en"}, want.wav(), 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	for _, interim := range []string{"false", "true"} {
		microphone := dial(t, s, "/v1/transcribe/ws?language=en&interim_results="+interim)
		for rest := want.wav(); len(rest) > 0; rest = rest[min(len(rest), 8000):] {
			if err := microphone.WriteMessage(websocket.BinaryMessage, rest[:min(len(rest), 8000)]); err != nil {
				t.Fatal(err)
			}
		}
		if err := microphone.WriteMessage(websocket.TextMessage, []byte(`{"end":true}`)); err != nil {
			t.Fatal(err)
		}
		for {
			m, _ := receive(t, microphone)
			if m.Event.Final == nil {
				continue
			}
			if m.ServedBy.Model != "whisper" || interim == "false" && m.Event.Final.Text != text.GetTranscript().GetText() {
				t.Errorf("%+v, want %q", m, text.GetTranscript().GetText())
			}
			break
		}
		if _, _, err := microphone.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			t.Error(err)
		}
	}
}
