package sockets

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

const (
	// maxMessageBytes bounds a client's message, unless its form says more: the
	// largest piece of audio, and more than a text may have.
	maxMessageBytes = 1 << 20
	// unreservedBytes is the size up to which a message needs no reservation: more
	// than a microphone's pieces have.
	unreservedBytes = 32 << 10
)

// Message is a client's message.
type Message struct {
	// Text is true for a text message, false for a binary one.
	Text bool
	// Data stays reserved in the pool until the next call of Socket.Next.
	Data []byte

	reservation *inflight.Reservation
}

// size is the memory of a message that waits, in bytes.
func (m Message) size() int64 {
	const overhead = 128
	return int64(len(m.Data)) + overhead
}

func (m Message) release() {
	if m.reservation != nil {
		m.reservation.Release()
	}
}

// readMessages reads messages until the socket ends. Then it discards what still
// comes: the client may not see the end before all that it sends is read.
func (c *Socket) readMessages() {
	for {
		m, err := c.readMessage()
		if err == nil {
			err = c.deliver(m)
		}
		if err != nil {
			c.end(err)
			c.discard()
			return
		}
	}
}

// deliver adds a message for Next as soon as there is room.
func (c *Socket) deliver(m Message) error {
	err := c.messages.Put(c.ctx.Done(), m, m.size())
	if err == nil {
		return nil
	}
	m.release()
	if errors.Is(err, inflight.ErrHungUp) {
		return errGone
	}
	return context.Cause(c.ctx)
}

func (c *Socket) readMessage() (Message, error) {
	c.beginWait()
	kind, r, err := c.conn.NextReader()
	if err != nil {
		return Message{}, c.readError(err)
	}
	m := Message{
		Text:        kind == websocket.TextMessage,
		reservation: c.opts.Pool.Reserve(inflight.Options{Free: unreservedBytes, Caller: c.caller}),
	}
	if m.Data, err = c.readData(r, m.reservation); err != nil {
		m.release()
	}
	return m, err
}

// readData reads the bytes of a message, which the reservation grows with.
func (c *Socket) readData(r io.Reader, reservation *inflight.Reservation) ([]byte, error) {
	var pieces inflight.Pieces
	size := int64(0)
	err := pieces.Fill(io.LimitReader(readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if size += int64(n); !reservation.Grow(c.form.Copies * size) {
			return n, errs.New(errs.QueueFull, "the memory for large messages is in use; try again later")
		}
		return n, err
	}), c.form.MaxBytes+1))
	var full *errs.Error
	switch {
	case errors.As(err, &full):
		return nil, err
	case err != nil:
		return nil, c.readError(err)
	case size > c.form.MaxBytes:
		return nil, errs.New(errs.InvalidRequest, "a message may have at most %d bytes", c.form.MaxBytes).WithCause(errLarge)
	}
	return pieces.Bytes(), nil
}

// readerFunc is a function as an io.Reader.
type readerFunc func([]byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// beginWait says that both sides of messages begin to wait for one.
func (c *Socket) beginWait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waitingSince = time.Now()
	_ = c.conn.SetReadDeadline(c.readDeadline()) // the next read shows an error
}

// extendReadDeadline sets the time by which the client must send again.
func (c *Socket) extendReadDeadline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetReadDeadline(c.readDeadline()) // the next read shows an error
}

// readDeadline is when the pong is overdue, the socket idle for too long, or the
// time for its close over. While messages wait, the socket is not idle. mu is
// held.
func (c *Socket) readDeadline() time.Time {
	if !c.closeBy.IsZero() {
		return c.closeBy
	}
	if !c.messages.Empty() {
		return time.Now().Add(pongTimeout)
	}
	pong, idle := time.Now().Add(pongTimeout), c.waitingSince.Add(c.opts.IdleTimeout)
	if idle.Before(pong) {
		return idle
	}
	return pong
}

// readError returns why nothing more can be read.
func (c *Socket) readError(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && time.Since(c.waitingSince) >= c.opts.IdleTimeout {
		return errs.New(errs.DeadlineExceeded, "no message arrived for %s; open the WebSocket again to continue", c.opts.IdleTimeout)
	}
	return errGone
}

// discard reads what still comes.
func (c *Socket) discard() {
	for {
		if _, _, err := c.conn.NextReader(); err != nil {
			return
		}
	}
}
