package httpserver

import (
	"context"
	"net"
	"sync"
	"syscall"

	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// listener has connections that are read slowly while their peer cancels too many
// requests, so that a flood waits at its sender.
type listener struct {
	net.Listener
	opts *Options
}

// conn is such a connection. That of a trusted proxy has other clients too, and is
// always read.
type conn struct {
	net.Conn
	throttle *inflight.Throttle // nil for that of a trusted proxy
	closing  sync.Once
	closed   chan struct{}
}

// Throttled returns a listener of such connections. Serve needs one, with or without
// TLS on it.
func (s *Server) Throttled(lis net.Listener) net.Listener { return listener{lis, &s.opts} }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, closed: make(chan struct{})}
	if from := raw.RemoteAddr().String(); !l.opts.Proxies.Trusts(from) {
		c.throttle = l.opts.Cancels.Throttle(peers.Of(from))
	}
	return c, nil
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if c.throttle != nil {
		c.throttle.HoldRead(c.closed)
	}
	return c.Conn.Read(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// SyscallConn implements syscall.Conn.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	raw, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, syscall.ENOTSUP
	}
	return raw.SyscallConn()
}

type throttleKey struct{}

// withConn stores in the context of a connection what its requests share.
func withConn(ctx context.Context, c net.Conn) context.Context {
	ctx = peers.WithUser(inflight.WithConn(ctx, c), c.RemoteAddr())
	if secured, ok := c.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		c = secured.NetConn()
	}
	if c, ok := c.(*conn); ok && c.throttle != nil {
		ctx = context.WithValue(ctx, throttleKey{}, c.throttle)
	}
	return ctx
}
