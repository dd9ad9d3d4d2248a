package server

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// userListener is a Unix socket whose connections tell their user. It closes those of
// users who are not listed at once; root and the server's own user, who could reach the
// server's files anyway, stay.
type userListener struct {
	net.Listener
	allowed map[uint32]bool
}

// onlyUsers returns a listener for the users of the configuration.
func onlyUsers(lis net.Listener, users []config.UnixUser) net.Listener {
	allowed := map[uint32]bool{0: true, uint32(os.Geteuid()): true} //nolint:gosec // a user's number
	for _, u := range users {
		allowed[*u.UID] = true
	}
	return userListener{lis, allowed}
}

// Accept implements net.Listener.
func (l userListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, ok := userOf(conn); ok && l.allowed[uid] {
			return &userConn{conn, uid}, nil
		}
		_ = conn.Close()
	}
}

// userOf returns the user who opened a connection.
func userOf(conn net.Conn) (uid uint32, ok bool) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || failed != nil {
		return 0, false
	}
	return cred.Uid, true
}

// userConn is a connection of a known user.
type userConn struct {
	net.Conn
	uid uint32
}

// RemoteAddr implements net.Conn.
func (c *userConn) RemoteAddr() net.Addr {
	return peers.UserAddr{Addr: c.Conn.RemoteAddr(), UID: c.uid}
}

// SyscallConn implements syscall.Conn.
func (c *userConn) SyscallConn() (syscall.RawConn, error) {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, syscall.ENOTSUP
	}
	return conn.SyscallConn()
}
