package inflight

import (
	"errors"
	"io"
	"net"
	"testing"
)

// The queue takes what the spare half of the pool holds, and one item beyond it.
func TestAheadIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		pool, max int64
		items     int
	}{
		"by the pool":       {8 * Step, 100 * Step, 4},
		"by its size":       {100 * Step, 3 * Step, 3},
		"to one at a time":  {0, 100 * Step, 1},
		"to one if too big": {100 * Step, 1, 1},
	} {
		pool := NewPool(c.pool)
		a := NewAhead[int](pool.Reserve(Options{Spare: true}), c.max, func() bool { return true })
		for i := range c.items {
			if err := a.Put(nil, i, Step); err != nil {
				t.Fatalf("%s: item %d: %v", name, i, err)
			}
		}
		if err := a.Put(nil, 0, Step); !errors.Is(err, ErrHungUp) {
			t.Errorf("%s: one more: %v", name, err)
		}
		waits := make(chan error)
		a.hungUp = nil
		go func() { waits <- a.Put(nil, c.items, Step) }()
		for i := range c.items + 1 {
			if got, err := a.Next(nil); got != i || err != nil {
				t.Errorf("%s: item %d is %d, %v", name, i, got, err)
			}
		}
		if err := <-waits; err != nil || pool.Used() != 0 {
			t.Errorf("%s: %v, %d bytes are used by an empty queue", name, err, pool.Used())
		}
	}
}

func TestAheadEnds(t *testing.T) {
	newAhead := func() *Ahead[int] { return NewAhead[int](NewPool(0).Reserve(Options{Spare: true}), Step, nil) }
	a := newAhead()
	_ = a.Put(nil, 1, 1)
	a.End(io.EOF)
	if _, err := a.Next(nil); err != nil {
		t.Error(err)
	}
	if _, err := a.Next(nil); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v", err)
	}
	a = newAhead()
	_ = a.Put(nil, 1, 1)
	waits := make(chan error)
	go func() { waits <- a.Put(nil, 2, 1) }()
	if left := a.Close(); len(left) == 0 || left[0] != 1 {
		t.Errorf("left: %v", left)
	}
	if err := <-waits; err != nil && !errors.Is(err, ErrClosed) {
		t.Errorf("Put after Close: %v", err)
	}
	done := make(chan struct{})
	close(done)
	a = newAhead()
	_ = a.Put(nil, 1, 1)
	if _, err := a.Next(done); !errors.Is(err, ErrClosed) {
		t.Errorf("Next when done: %v", err)
	}
	if err := a.Put(done, 2, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("Put when done: %v", err)
	}
}

// A hangup shows although bytes are unread, and open connections show none.
func TestHangup(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	for name, hangUp := range map[string]func(*net.TCPConn) error{
		"close": (*net.TCPConn).Close,
		"half":  (*net.TCPConn).CloseWrite,
		"reset": func(c *net.TCPConn) error {
			_ = c.SetLinger(0)
			return c.Close()
		},
	} {
		client, err := net.Dial("tcp", lis.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := lis.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		a := NewAhead[int](NewPool(0).Reserve(Options{}), 0, HangupOf(WithConn(t.Context(), server)))
		if a.hungUp() {
			t.Errorf("%s: gone before", name)
		}
		_ = a.Put(nil, 1, 1)
		if err := hangUp(client.(*net.TCPConn)); err != nil {
			t.Fatal(err)
		}
		if err := a.Put(nil, 2, 1); !errors.Is(err, ErrHungUp) {
			t.Errorf("%s: %v", name, err)
		}
		_ = client.Close()
		_ = server.Close()
		if !a.hungUp() {
			t.Errorf("%s: a connection that is closed here is open", name)
		}
	}
	if HangupOf(t.Context()) != nil {
		t.Error("a context without a connection has a hangup")
	}
}
