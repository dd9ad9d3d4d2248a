package sockets

import (
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
