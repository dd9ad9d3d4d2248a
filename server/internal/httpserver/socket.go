package httpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/semaphore"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// maxSocketMessage bounds a message from the other side, in bytes: the largest
	// piece of audio, and more than a text may have.
	maxSocketMessage = 1 << 20
	// freeMessage is what a message may have that shares no bound with others, in
	// bytes: more than a microphone's pieces.
	freeMessage = 32 << 10
)

var (
	// errGone is the end of a socket whose other side is not there any more.
	errGone = errs.New(errs.Cancelled, "the other side has left")
	// errDone is the ordinary end of a socket.
	errDone = errors.New("done")
	// errLarge is the cause of the end of a socket on which too much came at once.
	errLarge = errors.New("message too large")
)

// message is one from the other side.
type message struct {
	text bool
	data []byte
	held *reservation
}

// socket is one WebSocket. Messages that come wait in messages, one at a time:
// the other side is held back while nobody takes them.
type socket struct {
	conn     *websocket.Conn
	patience time.Duration
	idle     time.Duration
	messages chan message
	inFlight *semaphore.Weighted // bytes of large messages and bodies
	taken    *reservation        // of the message that next returned last

	// ctx ends with the socket; its cause tells why. end gives the cause, of
	// which the first counts.
	ctx context.Context
	end context.CancelCauseFunc

	mu      sync.Mutex
	since   time.Time // when the reader began to wait for a message
	closing time.Time // until when the other side may still be read
	busy    bool      // with work that may come to its end while the server drains
	leaving bool      // the server drains
}

func newSocket(ctx context.Context, conn *websocket.Conn, of *sockets) *socket {
	c := &socket{conn: conn, patience: of.patience, idle: of.idle, inFlight: of.inFlight, messages: make(chan message)}
	c.ctx, c.end = context.WithCancelCause(ctx)
	conn.SetPongHandler(func(string) error {
		c.extend()
		return nil
	})
	return c
}

// next waits for a message, and gives back what the one before it held. Only one
// goroutine may.
func (c *socket) next() (message, error) {
	c.forget()
	select {
	case m := <-c.messages:
		c.taken = m.held
		return m, nil
	case <-c.ctx.Done():
		return message{}, context.Cause(c.ctx)
	}
}

// begin notes that there is work, unless the server drains.
func (c *socket) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving && !c.busy {
		return draining()
	}
	c.busy = true
	return nil
}

// rest notes that the work is done.
func (c *socket) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if c.leaving {
		c.end(draining())
	}
}

// leave ends the socket when it has no work.
func (c *socket) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
	if !c.busy {
		c.end(draining())
	}
}

// forget gives back what the last message held.
func (c *socket) forget() {
	if c.taken != nil {
		c.taken.release()
		c.taken = nil
	}
}

// read takes messages in until the socket ends. After that it reads on for a
// while: the other side may not see the end before all that it sends is taken.
func (c *socket) read() {
	for {
		m, err := c.receive()
		if err == nil {
			err = c.hand(m)
		}
		if err != nil {
			c.end(err)
			c.discard()
			return
		}
	}
}

// hand gives a message to next.
func (c *socket) hand(m message) error {
	select {
	case c.messages <- m:
		return nil
	case <-c.ctx.Done():
		m.held.release()
		return context.Cause(c.ctx)
	}
}

// receive reads one message.
func (c *socket) receive() (message, error) {
	c.mu.Lock()
	c.since = time.Now()
	c.mu.Unlock()
	c.extend()
	kind, r, err := c.conn.NextReader()
	if err != nil {
		return message{}, c.broken(err)
	}
	m := message{text: kind == websocket.TextMessage, held: &reservation{all: c.inFlight, free: freeMessage}}
	if m.data, err = c.data(r, m.held); err != nil {
		m.held.release()
	}
	return m, err
}

// data reads a message's bytes, which held makes room for as they come.
func (c *socket) data(r io.Reader, held *reservation) ([]byte, error) {
	var all pieces
	size := int64(0)
	err := all.fill(io.LimitReader(readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if size += int64(n); !held.grow(size) {
			return n, errs.New(errs.QueueFull, "too many large messages are at work")
		}
		return n, err
	}), maxSocketMessage+1))
	var full *errs.Error
	switch {
	case errors.As(err, &full):
		return nil, err
	case err != nil:
		return nil, c.broken(err)
	case size > maxSocketMessage:
		return nil, errs.New(errs.InvalidRequest, "a message may have %d bytes at most", maxSocketMessage).WithCause(errLarge)
	}
	return bytes.Join(all.list, nil), nil
}

// readerFunc is a function as an io.Reader.
type readerFunc func([]byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// extend gives the other side time until it has to be heard of again.
func (c *socket) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetReadDeadline(c.until()) // an error shows when it is read
}

// until is when the other side should have answered a ping, is idle for too long,
// or is not waited for any more. mu is held.
func (c *socket) until() time.Time {
	if !c.closing.IsZero() {
		return c.closing
	}
	gone, idle := time.Now().Add(goneAfter), c.since.Add(c.idle)
	if idle.Before(gone) {
		return idle
	}
	return gone
}

// broken tells why nothing more can be read.
func (c *socket) broken(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && time.Since(c.since) >= c.idle {
		return errs.New(errs.DeadlineExceeded, "nothing came for %s", c.idle)
	}
	return errGone
}

// discard reads what still comes.
func (c *socket) discard() {
	for {
		if _, _, err := c.conn.NextReader(); err != nil {
			return
		}
	}
}

// ping keeps the connection alive on its way, and finds out whether the other
// side is there: extend notes its answer.
func (c *socket) ping() {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			// One that cannot be sent now is not missed.
			_ = c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(closingTime))
		case <-c.ctx.Done():
			return
		}
	}
}

// send writes a message. Only one goroutine may.
func (c *socket) send(kind int, data []byte) error {
	until := time.Time{}
	if c.patience > 0 {
		until = time.Now().Add(c.patience)
	}
	return c.write(kind, data, until)
}

func (c *socket) write(kind int, data []byte, until time.Time) error {
	if err := errors.Join(c.conn.SetWriteDeadline(until), c.conn.WriteMessage(kind, data)); err != nil {
		c.end(errGone)
		return errGone
	}
	return nil
}

// finish tells the other side how the socket ended, closes it with a code for
// that, and gives the other side a moment to read both. What ended the socket
// goes before what the work made of that.
func (c *socket) finish(err error) {
	if why := context.Cause(c.ctx); why != nil {
		err = why
	}
	if errors.Is(err, context.Canceled) { // only the server itself cancels without a cause
		err = draining()
	}
	until := time.Now().Add(closingTime)
	c.mu.Lock()
	c.closing = until
	c.mu.Unlock()
	if !errors.Is(err, errGone) {
		if !errors.Is(err, errDone) {
			_ = c.write(websocket.TextMessage, errorMessage(err), until) // else the code has to do
		}
		code, reason := closeCode(err)
		_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), until)
	}
	c.end(errGone)
	c.extend()
}

// errorMessage is an error as its message, in the shape of REST's.
func errorMessage(err error) []byte {
	e := errs.From(err)
	text, encoded := json.Marshal(map[string]errorBody{"error": bodyOf(e.GRPCStatus().Proto(), errs.ReasonName(e.Reason()))})
	if encoded != nil {
		return []byte(`{"error":{}}`)
	}
	return text
}

// closeCode is what a socket is closed with: RFC 6455's codes, and the reason's
// name.
func closeCode(err error) (code int, reason string) {
	if errors.Is(err, errDone) {
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
