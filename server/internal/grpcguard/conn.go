package grpcguard

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// readBuffer is the size of a connection's buffer for reading, in bytes.
const readBuffer = 16 << 10

// conn is a guarded connection.
type conn struct {
	net.Conn
	guard  *Guard
	peer   string // whose share of the memory the client uses
	reader *bufio.Reader
	// in and out follow the frames of the client and of the server.
	in, out frames

	// Only the reader uses these: last is the stream of the last HEADERS frame.
	last   uint32
	resets bucket

	mu      sync.Mutex
	streams map[uint32]*stream // without those whose answer is complete or not wanted
	small   int64              // bytes that all streams hold, of the first smallBytes
	large   int64              // and of the rest
	unread  int64              // bytes of answers that were not written yet
}

// address is a peer's address that leads from the context of a call to its
// connection.
type address struct {
	net.Addr
	conn *conn
}

func newConn(raw net.Conn, g *Guard) *conn {
	c := &conn{
		Conn: raw, guard: g, peer: inflight.PeerOf(raw.RemoteAddr().String()), reader: bufio.NewReaderSize(raw, readBuffer),
		streams: map[uint32]*stream{}, resets: newBucket(g.opts.MaxResets, time.Now()),
	}
	c.in = frames{skip: prefaceLen, begin: c.received, data: c.arrived}
	c.out = frames{begin: c.sending, data: func(uint32, []byte) {}}
	return c
}

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return address{c.Conn.RemoteAddr(), c} }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.in.feed(p[:n])
	time.Sleep(c.resets.wait(time.Now()))
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	// Before the bytes are written: the client may answer them with a new stream.
	c.out.feed(p)
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.guard.remove(c)
	return c.Conn.Close()
}

// received takes the header of a frame of the client.
func (c *conn) received(f frame) {
	switch f.kind {
	case frameHeaders:
		c.last = f.stream
	case frameReset:
		c.resets.take(time.Now())
		c.mu.Lock()
		defer c.mu.Unlock()
		c.forget(f.stream)
	}
}

// arrived takes data of a stream.
func (c *conn) arrived(id uint32, part []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[id]; s != nil {
		s.arrived(part, time.Now())
	}
}

// sending takes the header of a frame of the server. The whole frame follows.
func (c *conn) sending(f frame) {
	if f.kind > frameReset {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[f.stream]
	if s == nil {
		return
	}
	if f.kind == frameData {
		s.written(int64(f.length), time.Now())
	}
	if f.kind == frameReset || f.flags&flagEndStream != 0 {
		c.forget(f.stream)
	}
}

// forget removes a stream whose answer is complete or not wanted. mu is held.
func (c *conn) forget(id uint32) {
	if s := c.streams[id]; s != nil {
		c.unread -= s.unread
		s.unread, s.forgotten = 0, true
		delete(c.streams, id)
	}
}

// open begins the stream whose headers were read last, or refuses it.
func (c *conn) open(ctx context.Context) (context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) >= c.guard.opts.MaxStreams || c.unread > maxUnread {
		return nil, errs.New(errs.QueueFull, "too many answers on this connection were not read: read them first")
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{conn: c, cancel: cancel, refused: make(chan struct{}), due: time.Now().Add(c.guard.opts.messageTimeout)}
	c.streams[c.last] = s
	context.AfterFunc(ctx, s.release)
	return context.WithValue(ctx, streamKey{}, s), nil
}

// endLate ends streams whose messages come too slowly, and the connection if
// answers on it are not read.
func (c *conn) endLate(now time.Time) {
	c.mu.Lock()
	stalled := false
	for _, s := range c.streams {
		switch {
		case s.refusal != nil:
			s.cancel() // its service does not receive
		case s.late(now):
			s.refuse(errs.New(errs.DeadlineExceeded, "the message arrived too slowly; send at least %d KiB per second", inflight.MinThroughput>>10))
		}
		stalled = stalled || s.stalled(now)
	}
	c.mu.Unlock()
	if stalled {
		// gRPC has no way to end an answer that its service has given.
		_ = c.Conn.Close() // the reader of the connection gets the error
	}
}

// bucket counts events against a rate.
type bucket struct {
	rate, level float64
	last        time.Time
}

func newBucket(rate int, now time.Time) bucket {
	return bucket{rate: float64(rate), level: 2 * float64(rate), last: now}
}

// take counts an event.
func (b *bucket) take(now time.Time) {
	b.fill(now)
	b.level--
}

// wait returns how long to wait until the rate is kept.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.level >= 0 {
		return 0
	}
	b.fill(now)
	return max(0, time.Duration(-b.level/b.rate*float64(time.Second)))
}

func (b *bucket) fill(now time.Time) {
	b.level = min(2*b.rate, b.level+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
}
