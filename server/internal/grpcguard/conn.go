package grpcguard

import (
	"bufio"
	"cmp"
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// readBuffer is the size of a connection's buffer for reading, in bytes.
const readBuffer = 16 << 10

// conn is a guarded connection.
type conn struct {
	net.Conn
	guard    *Guard
	peer     string // who calls, unless a trusted proxy is there
	proxy    bool   // a trusted proxy is there
	throttle *inflight.Throttle
	reader   *bufio.Reader
	closing  sync.Once
	closed   chan struct{}
	// in and out follow the frames of the client and of the server.
	in, out frames

	// last is the stream of the last HEADERS frame. Only the reader uses it.
	last uint32

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
	from := raw.RemoteAddr().String()
	c := &conn{
		Conn: raw, guard: g, peer: peers.Of(from), proxy: g.opts.Proxies.Trusts(from), reader: bufio.NewReaderSize(raw, readBuffer),
		streams: map[uint32]*stream{}, closed: make(chan struct{}),
	}
	c.throttle = g.opts.Cancels.Throttle(c.peer)
	c.in = frames{skip: prefaceLen, begin: c.received, data: c.arrived}
	c.out = frames{begin: c.sending, data: func(uint32, []byte, bool) {}}
	return c
}

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return address{c.Conn.RemoteAddr(), c} }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.in.feed(p[:n])
	if !c.proxy { // which has other clients too: their calls are refused instead
		c.throttle.Hold(c.closed)
	}
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
	c.closing.Do(func() {
		close(c.closed)
		c.guard.remove(c)
		c.leave()
	})
	return c.Conn.Close()
}

// leave counts the calls that end because the connection does.
func (c *conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		if !s.released {
			c.cancelled(s)
		}
	}
}

// cancelled counts a call that the client has cancelled, or for which it has no
// place; nil for one that has ended. mu is held.
func (c *conn) cancelled(s *stream) {
	if !c.proxy {
		c.throttle.Count(1)
	} else if s != nil {
		c.guard.opts.Cancels.Count(s.peer, 1)
	}
}

// received takes the header of a frame of the client.
func (c *conn) received(f frame) {
	switch f.kind {
	case frameHeaders:
		c.last = f.stream
	case frameReset:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cancelled(c.streams[f.stream])
		c.forget(f.stream)
	}
}

// arrived takes data of a stream; last says that its frame ends with it.
func (c *conn) arrived(id uint32, part []byte, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[id]; s != nil {
		s.arrived(part, last, time.Now())
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
func (c *conn) open(ctx context.Context, header metadata.MD) (context.Context, error) {
	opts := &c.guard.opts
	peer := c.peer
	if c.proxy {
		peer = opts.Proxies.PeerOf(c.Conn.RemoteAddr().String(), header.Get(peers.Header))
		if wait := opts.Cancels.Wait(peer); wait > 0 {
			return nil, errs.New(errs.QueueFull, "this client has cancelled too many calls: try again later").WithRetryAfter(wait)
		}
	}
	caller := peer
	if opts.KeyOf != nil {
		caller = cmp.Or(opts.KeyOf(header), peer)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) >= opts.MaxStreams || c.unread > maxUnread {
		return nil, errs.New(errs.QueueFull, "too many answers on this connection were not read: read them first")
	}
	ctx = peers.With(ctx, peer)
	s := &stream{conn: c, peer: peer, caller: caller, refused: make(chan struct{}), due: time.Now().Add(opts.messageTimeout)}
	if !opts.Calls.Take(s.caller, 1) {
		c.cancelled(s)
		return nil, inflight.TooManyCalls()
	}
	ctx, s.cancel = context.WithCancel(peers.WithUser(ctx, c.Conn.RemoteAddr()))
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
