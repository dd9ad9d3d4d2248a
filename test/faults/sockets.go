package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// connections returns copies of the descriptors of a worker's connections to the
// gateway.
func connections(pid int) ([]int, error) {
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil, err
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(process) }()
	var found []int
	for _, n := range names {
		number, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		fd, err := unix.PidfdGetfd(process, number, 0)
		if err != nil {
			continue // closed meanwhile
		}
		if peer, err := unix.Getpeername(fd); err == nil {
			if _, local := peer.(*unix.SockaddrUnix); local {
				found = append(found, fd)
				continue
			}
		}
		_ = unix.Close(fd)
	}
	return found, nil
}

// onConnections does something to all connections of the worker. A worker that has
// just ended or has not connected yet has none.
func onConnections(e *episode, do func(fd int) error) error {
	if e.pid == 0 {
		return nil
	}
	fds, err := connections(e.pid)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		return err
	}
	e.history.add("worker %d has %d connections", e.pid, len(fds))
	var failed error
	for _, fd := range fds {
		failed = errors.Join(failed, do(fd))
		_ = unix.Close(fd)
	}
	return failed
}

// loseConnection breaks the connections of the worker, which goes on running.
func loseConnection(e *episode) (func(), error) {
	return nil, onConnections(e, func(fd int) error {
		_ = unix.Shutdown(fd, unix.SHUT_RDWR) // the other side may have closed it
		return nil
	})
}

// corruptReply sends the gateway bytes that mean nothing, as the worker's reply.
func corruptReply(e *episode) (func(), error) {
	garbage := make([]byte, 64)
	for i := range garbage {
		garbage[i] = byte(e.random.Uint32())
	}
	return nil, onConnections(e, func(fd int) error {
		_ = unix.Sendto(fd, garbage, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
		return nil
	})
}

// loseFolder deletes the folder of the workers' sockets, as a program that cleans
// temporary folders does.
func loseFolder(e *episode) (func(), error) {
	folders, err := filepath.Glob(filepath.Join(e.dir, "t", "*"))
	for _, f := range folders {
		err = errors.Join(err, os.RemoveAll(f))
	}
	return nil, err
}
