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
	// socketMode lets only the gateway's own user connect to its Unix sockets:
	// callers are not authenticated.
	socketMode = 0o600
	// deadSocketWait bounds the question whether somebody serves a socket.
	deadSocketWait = time.Second
)

// listen takes an address of the configuration; key is for messages. A Unix
// socket that a killed program left is replaced.
func listen(key, address string) (net.Listener, error) {
	network, addr := config.SplitListen(address)
	var lc net.ListenConfig
	if network == "unix" {
		lc.Control = restrictSocket
		if deadSocket(addr) {
			if err := os.Remove(addr); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s: a socket that nobody serves is in the way: %w", key, err)
			}
		}
	}
	lis, err := lc.Listen(context.Background(), network, addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is in use by another program, perhaps another modelgateway", key, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return lis, nil
}

// restrictSocket sets the mode of a socket before its file is made, so that
// there is no moment at which others may connect.
func restrictSocket(_, _ string, conn syscall.RawConn) error {
	var failed error
	err := conn.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), socketMode) })
	return errors.Join(err, failed)
}

// deadSocket tells whether path is a Unix socket that nobody serves, as a program
// leaves it that is killed.
func deadSocket(path string) bool {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	conn, err := net.DialTimeout("unix", path, deadSocketWait)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
