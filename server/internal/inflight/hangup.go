package inflight

import (
	"context"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

type connKey struct{}

// WithConn returns a context with the connection of its requests.
func WithConn(ctx context.Context, conn net.Conn) context.Context {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		conn = secured.NetConn()
	}
	return context.WithValue(ctx, connKey{}, conn)
}

// HangupOf returns a function that reports whether the client of a request has
// closed its connection; nil if the context has no connection.
func HangupOf(ctx context.Context) func() bool {
	conn, ok := ctx.Value(connKey{}).(syscall.Conn)
	if !ok {
		return nil
	}
	return func() bool { return hungUp(conn) }
}

// hungUp reports whether the other end of a connection has closed it, or its
// sending direction, even if there are bytes that were not read yet.
func hungUp(conn syscall.Conn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true // it is closed here
	}
	const gone = unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR
	fds := []unix.PollFd{{Events: unix.POLLRDHUP}}
	err = raw.Control(func(fd uintptr) {
		fds[0].Fd = int32(fd)
		_, _ = unix.Poll(fds, 0) // after an error, the next look shows it
	})
	return err != nil || fds[0].Revents&gone != 0
}
