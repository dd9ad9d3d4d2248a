package sockets

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

var (
	// ErrDone is the normal end of a socket.
	ErrDone = errors.New("done")
	// errGone is the end of a socket whose client is gone.
	errGone = errs.New(errs.Cancelled, "the client has closed the connection")
	// errLarge marks the error of a message that is too large.
	errLarge = errors.New("message too large")
)

// Socket is one WebSocket. The client's messages are read ahead of their use into
// messages, as far as there is memory; beyond that, TCP holds the client back.
type Socket struct {
	conn     *websocket.Conn
	opts     Options
	form     Form
	caller   string
	messages *inflight.Ahead[Message]
	last     Message // which Next returned

	// ctx ends with the socket, and end gives the cause. The first cause counts.
	ctx context.Context
	end context.CancelCauseFunc

	mu           sync.Mutex
	waitingSince time.Time // when both sides of messages began to wait for one
	closeBy      time.Time // until when the client may still send, once the socket ends
	working      bool      // with work that may finish while the server drains
	idle         time.Time // since when it is not working
	draining     bool

	replaced bool // another socket has its place; guarded by the mutex of the Set
}

func newSocket(ctx context.Context, conn *websocket.Conn, opts Options, form Form) *Socket {
	c := &Socket{conn: conn, opts: opts, form: form, idle: time.Now(), caller: peers.Caller(ctx)}
	c.ctx, c.end = context.WithCancelCause(ctx)
	c.messages = Ahead[Message](c, inflight.MaxAhead)
	conn.SetPongHandler(func(string) error {
		c.extendReadDeadline()
		return nil
	})
	return c
}

// run calls work, reads and pings beside it, and ends the socket.
func (c *Socket) run(work func(*Socket) error) {
	var helpers sync.WaitGroup
	helpers.Go(c.readMessages)
	helpers.Go(c.ping)
	c.close(work(c))
	c.last.release()
	helpers.Wait()
	for _, m := range c.messages.Close() {
		m.release()
	}
}

// Ahead returns a queue for what is made of messages before its use, of at most max
// bytes, as far as there is memory.
func Ahead[T any](c *Socket, max int64) *inflight.Ahead[T] {
	return inflight.NewAhead[T](c.Spare(), max, inflight.HangupOf(c.ctx))
}

// Spare returns a reservation of memory that nobody waits for.
func (c *Socket) Spare() *inflight.Reservation {
	return c.opts.Pool.Reserve(inflight.Options{Caller: c.caller, Spare: true})
}

// Context ends with the socket.
func (c *Socket) Context() context.Context { return c.ctx }

// End ends the socket with an error, which is sent to the client. Only the first
// error counts.
func (c *Socket) End(err error) { c.end(err) }

// Next waits for a message, and releases the reservation of the one before. Only
// one goroutine may call it.
func (c *Socket) Next() (Message, error) {
	c.last.release()
	c.last = Message{}
	m, err := c.messages.Next(c.ctx.Done())
	if err != nil {
		return Message{}, context.Cause(c.ctx)
	}
	c.last = m
	c.beginWait()
	return m, nil
}

// BeginWork marks the socket as working. It returns an error if the server
// drains and the socket was not.
func (c *Socket) BeginWork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining && !c.working {
		return errDraining()
	}
	c.working = true
	return nil
}

// EndWork marks the socket as idle, and ends it if the server drains.
func (c *Socket) EndWork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.working, c.idle = false, time.Now()
	if c.draining {
		c.end(errDraining())
	}
}

// idleSince returns since when the socket is without work, and whether it is.
func (c *Socket) idleSince() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle, !c.working
}

// drain ends the socket, or has EndWork do it.
func (c *Socket) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	if !c.working {
		c.end(errDraining())
	}
}

// SendText sends a text message. Only one goroutine may send.
func (c *Socket) SendText(text []byte) error { return c.send(websocket.TextMessage, text) }

// SendBinary sends a binary message. Only one goroutine may send.
func (c *Socket) SendBinary(data []byte) error { return c.send(websocket.BinaryMessage, data) }

// SendError sends an error as a message and leaves the socket open.
func (c *Socket) SendError(err error) error { return c.SendText(c.form.Error(err)) }

func (c *Socket) send(kind int, data []byte) error {
	deadline := time.Time{}
	if c.opts.WriteTimeout > 0 {
		deadline = time.Now().Add(c.opts.WriteTimeout)
	}
	return c.write(kind, data, deadline)
}

func (c *Socket) write(kind int, data []byte, deadline time.Time) error {
	if err := errors.Join(c.conn.SetWriteDeadline(deadline), c.conn.WriteMessage(kind, data)); err != nil {
		c.end(errGone)
		return errGone
	}
	return nil
}

// ping keeps proxies from closing the connection, and finds out whether the
// client is still there: a pong extends the read deadline.
func (c *Socket) ping() {
	tick := time.NewTicker(pingInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			// The next ping makes up for one that cannot be sent.
			_ = c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(closeTimeout))
		case <-c.ctx.Done():
			return
		}
	}
}

// close tells the client why the socket ends, closes it with the code for that,
// and gives the client time to read both. The cause of the socket's end counts
// more than the error that work made of it.
func (c *Socket) close(err error) {
	if cause := context.Cause(c.ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) { // only the server cancels without a cause
		err = errDraining()
	}
	deadline := time.Now().Add(closeTimeout)
	c.mu.Lock()
	c.closeBy = deadline
	c.mu.Unlock()
	if !errors.Is(err, errGone) {
		if !errors.Is(err, ErrDone) {
			_ = c.write(websocket.TextMessage, c.form.Error(err), deadline) // the code says it too
		}
		code, reason := closeCode(err)
		_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), deadline)
	}
	c.end(errGone)
	c.extendReadDeadline()
}

// RESTError returns an error as a message, in the form of the REST API.
func RESTError(err error) []byte {
	text, failed := json.Marshal(map[string]reply.Body{"error": reply.BodyOf(err)})
	if failed != nil {
		return []byte(`{"error":{}}`)
	}
	return text
}

// closeCode returns the code of RFC 6455 with which a socket is closed, and the
// name of the reason.
func closeCode(err error) (code int, reason string) {
	if errors.Is(err, ErrDone) {
		return websocket.CloseNormalClosure, ""
	}
	why := errs.ReasonOf(err)
	switch {
	case errors.Is(err, errLarge):
		code = websocket.CloseMessageTooBig
	case why == errs.Draining:
		code = websocket.CloseGoingAway
	case why == errs.Internal:
		code = websocket.CloseInternalServerErr
	case errs.Retryable(why):
		code = websocket.CloseTryAgainLater
	default:
		code = websocket.ClosePolicyViolation
	}
	return code, errs.ReasonName(why)
}
