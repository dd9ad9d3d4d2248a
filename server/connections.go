package server

import (
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// connections is a listener that bounds its connections: their number, and the
// time in which a client must read what is written to it. Those above the limit
// are closed at once. The clients at one address get at most half of them, except
// those of this machine and of trusted proxies, which have many clients.
type connections struct {
	net.Listener
	max          int
	proxies      peers.Proxies
	writeTimeout time.Duration // 0 is no limit

	mu    sync.Mutex
	count int
	peers map[string]int
}

func limitConnections(lis net.Listener, limits config.Limits, proxies peers.Proxies) net.Listener {
	return &connections{Listener: lis, proxies: proxies, max: limits.MaxConnections, writeTimeout: limits.SlowReaderTimeout, peers: map[string]int{}}
}

// Accept implements net.Listener.
func (l *connections) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := l.peerOf(conn.RemoteAddr())
		if l.add(peer) {
			return &connection{Conn: conn, writeTimeout: l.writeTimeout, closed: sync.OnceFunc(func() { l.remove(peer) })}, nil
		}
		_ = conn.Close() // the client sees it
	}
}

func (l *connections) add(peer string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count >= l.max || peer != "" && 2*l.peers[peer] >= l.max {
		return false
	}
	l.count++
	l.peers[peer]++
	return true
}

func (l *connections) remove(peer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
	if l.peers[peer]--; l.peers[peer] == 0 {
		delete(l.peers, peer)
	}
}

// peerOf returns the peer of a connection; "" for those that have many clients.
func (l *connections) peerOf(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() || l.proxies.Trusts(addr.String()) {
		return ""
	}
	return peers.Of(addr.String())
}

// connection is a connection of such a listener.
type connection struct {
	net.Conn
	writeTimeout time.Duration
	closed       func()
}

// Write implements net.Conn.
func (c *connection) Write(p []byte) (int, error) {
	if c.writeTimeout > 0 {
		// An error means that the connection is closed, as Write will say.
		_ = c.SetWriteDeadline(time.Now().Add(c.writeTimeout))
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.closed()
	return c.Conn.Close()
}

// SyscallConn implements syscall.Conn.
func (c *connection) SyscallConn() (syscall.RawConn, error) {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, syscall.ENOTSUP
	}
	return conn.SyscallConn()
}
