package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

const (
	// socketMode lets only the server's user connect to its Unix sockets.
	socketMode = 0o600
	// usersMode lets all connect: the listener closes connections of users who are not
	// listed; see userListener.
	usersMode = 0o666
	// staleSocketTimeout limits the check whether a program serves a socket.
	staleSocketTimeout = time.Second
)

// listen listens on an address of the configuration; key names it in errors. users are
// those who may use Unix sockets, besides the server's user. The Unix socket of a program that was killed is replaced.
func listen(key, address string, users ...config.UnixUser) (net.Listener, error) {
	network, addr := config.SplitListen(address)
	var lc net.ListenConfig
	if network == "unix" {
		lc.Control = restrictSocket
		if staleSocket(addr) {
			if err := os.Remove(addr); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s: cannot replace the socket of a program that has ended: %w", key, err)
			}
		}
	}
	lis, err := lc.Listen(context.Background(), network, addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is in use by another program, perhaps another modelgateway; stop that program or set another address", key, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if network == "unix" && len(users) > 0 {
		if err := os.Chmod(addr, usersMode); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", key, err), lis.Close())
		}
		lis = onlyUsers(lis, users)
	}
	return lis, nil
}

// restrictSocket sets the mode of a socket before its file is created, so that
// other users can never connect before onlyUsers knows of them.
func restrictSocket(_, _ string, conn syscall.RawConn) error {
	var failed error
	err := conn.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), socketMode) })
	return errors.Join(err, failed)
}

// staleSocket reports whether path is a Unix socket that no program serves. A program
// that is killed leaves one.
func staleSocket(path string) bool {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	conn, err := net.DialTimeout("unix", path, staleSocketTimeout)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
