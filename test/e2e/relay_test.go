package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay forwards TCP connections to a server, as a load balancer does that looks at
// nothing.
type relay struct {
	address string

	mu     sync.Mutex
	target string
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	r := &relay{address: listener.Addr().String(), target: target}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go r.forward(conn)
		}
	}()
	return r
}

// to makes further connections go to another server.
func (r *relay) to(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

func (r *relay) forward(here net.Conn) {
	defer func() { _ = here.Close() }()
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	there, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = there.Close() }()
	go func() {
		_, _ = io.Copy(there, here)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}
