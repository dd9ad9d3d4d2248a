package sockets

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// A pong extends the read deadline, but not beyond the idle timeout or the end of
// the socket.
func TestPongsExtendReadDeadline(t *testing.T) {
	messages := inflight.NewAhead[Message](inflight.NewPool(0).Reserve(inflight.Options{}), 0, nil)
	c := &Socket{conn: &websocket.Conn{}, opts: Options{IdleTimeout: time.Hour}, messages: messages}
	for name, change := range map[string]struct {
		waitingSince, closeBy time.Time
		want                  time.Duration
	}{
		"waiting": {waitingSince: time.Now(), want: pongTimeout},
		"idle":    {waitingSince: time.Now().Add(10*time.Second - time.Hour), want: 10 * time.Second},
		"closing": {waitingSince: time.Now(), closeBy: time.Now().Add(closeTimeout), want: closeTimeout},
	} {
		c.waitingSince, c.closeBy = change.waitingSince, change.closeBy
		if got := time.Until(c.readDeadline()); got > change.want || got < change.want-5*time.Second {
			t.Errorf("%s: %s, want %s", name, got, change.want)
		}
	}
}

// A request that is not for a WebSocket gets the error of one that is, and ends no socket.
func TestOtherRequestsAreCheckedAsUpgradesAre(t *testing.T) {
	set := NewSet(Options{Pool: inflight.NewPool(1 << 20)})
	set.places = inflight.NewShares(1)
	form := Form{Error: func(err error) []byte { return []byte(err.Error()) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set.Serve(r.Context(), w, r, form, func(c *Socket) error {
			for { // the client says what comes next, and is told when it is so
				m, err := c.Next()
				if err != nil {
					return err
				}
				if string(m.Data) == "work" {
					if err := c.BeginWork(); err != nil {
						return err
					}
				}
				if err := c.SendText(m.Data); err != nil {
					return err
				}
			}
		})
	}))
	defer server.Close()
	defer set.CloseAll()
	get := func(code int, reason string) {
		t.Helper()
		for range 2 { // the first one takes no place from the second
			resp, err := http.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != code || !strings.Contains(string(text), reason) {
				t.Errorf("%d %s, want %d %s", resp.StatusCode, text, code, reason)
			}
		}
	}
	var conn *websocket.Conn
	say := func(text string) {
		t.Helper()
		if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.ReadMessage(); err != nil || string(got) != text {
			t.Fatalf("%q: %q %v", text, got, err)
		}
	}
	get(http.StatusUpgradeRequired, "INVALID_REQUEST")
	conn, resp, err := websocket.DefaultDialer.Dial(strings.Replace(server.URL, "http", "ws", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	defer func() { _ = conn.Close() }()
	say("hello")
	get(http.StatusUpgradeRequired, "INVALID_REQUEST") // a new socket would get the place of this one
	say("work")
	get(http.StatusTooManyRequests, "QUEUE_FULL")
	say("still open")
	set.Drain()
	get(http.StatusServiceUnavailable, "DRAINING")
}
