package httpserver

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestIdleSocketsEnd(t *testing.T) {
	url := serve(t, func(o *Options) { o.socketIdle = 50 * time.Millisecond })
	for path, begin := range map[string]string{
		transcribePath + "/ws": "", synthesizePath + "/ws": "", transcribePath + "/ws?language=en": "", transcribePath + "/ws#begun": `{"language":"en"}`,
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
		for !strings.Contains(text, "error") { // events of what was said come first
			_, data, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
		if !strings.Contains(text, `"reason":"DEADLINE_EXCEEDED"`) || !strings.Contains(text, "nothing came for 50ms") {
			t.Errorf("%s: %s", path, text)
		}
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("%s: %v", path, err)
		}
		_ = conn.Close()
	}
}

// Silence is no end while the other side answers pings, and the reader's patience
// counts anew with each of its answers.
func TestAnswersToPingsGiveTime(t *testing.T) {
	c := &socket{conn: &websocket.Conn{}, idle: time.Hour, since: time.Now()}
	for name, change := range map[string]struct {
		since, closing time.Time
		want           time.Duration
	}{
		"waiting": {since: time.Now(), want: goneAfter},
		"idle":    {since: time.Now().Add(10*time.Second - time.Hour), want: 10 * time.Second},
		"closing": {since: time.Now(), closing: time.Now().Add(closingTime), want: closingTime},
	} {
		c.since, c.closing = change.since, change.closing
		if got := time.Until(c.until()); got > change.want || got < change.want-5*time.Second {
			t.Errorf("%s: %s, want %s", name, got, change.want)
		}
	}
}
