package speech_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// event is any JSON message that the server sends.
type event struct {
	Event struct {
		Interim *struct {
			Tentative string `json:"tentative_text"`
		}
		Final *struct{ Text string }
	}
	ServedBy *struct{ Model string } `json:"served_by"`
	Rate     int                     `json:"sample_rate_hertz"`
	Sentence string
	Error    *struct {
		Code            int
		Reason, Message string
		Details         []json.RawMessage
	}
}

// client is the client of a WebSocket.
type client struct {
	t *testing.T
	*websocket.Conn
}

// dial opens a socket, with headers in pairs.
func dial(t *testing.T, r *servertest.Running, path string, header ...string) *client {
	t.Helper()
	conn, resp, err := tryDial(r, path, header...)
	if err != nil {
		t.Fatalf("%v: %v", err, resp)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, Conn: conn}
}

func tryDial(r *servertest.Running, path string, header ...string) (*websocket.Conn, *http.Response, error) {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(r.URL, "http")+path, h)
}

func (c *client) text(message string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) audio(size int) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.BinaryMessage, make([]byte, size)); err != nil {
		c.t.Fatal(err)
	}
}

// next reads a message: JSON, or the bytes of a binary one.
func (c *client) next() (e event, pcm []byte) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	kind, data, err := c.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	if kind == websocket.BinaryMessage {
		return event{}, data
	}
	if err := json.Unmarshal(data, &e); err != nil {
		c.t.Fatalf("%v: %s", err, data)
	}
	return e, nil
}

// closed expects the close message and returns its code and reason.
func (c *client) closed() (code int, reason string) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	_, data, err := c.ReadMessage()
	end, ok := err.(*websocket.CloseError)
	if !ok {
		c.t.Fatalf("%q, %v", data, err)
	}
	return end.Code, end.Text
}

// fails expects an error, and then the close message with a code.
func (c *client) fails(reason errs.Reason, code int, says string) {
	c.t.Helper()
	e, _ := c.next()
	if e.Error == nil || e.Error.Reason != errs.ReasonName(reason) || len(e.Error.Details) == 0 || !strings.Contains(e.Error.Message, says) {
		c.t.Fatalf("%+v %+v, want %s: %s", e, e.Error, errs.ReasonName(reason), says)
	}
	if got, text := c.closed(); got != code || text != errs.ReasonName(reason) {
		c.t.Errorf("closed with %d %q, want %d", got, text, code)
	}
}

const (
	micPath   = speech.TranscribeSocketPath
	speakPath = speech.SynthesizeSocketPath
)
