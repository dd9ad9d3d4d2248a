package httpserver

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/semaphore"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// maxSockets bounds open WebSockets.
	maxSockets = 1024
	// pingEvery is how often a WebSocket's other side is asked whether it lives,
	// and goneAfter how long it may say nothing at all.
	pingEvery = 25 * time.Second
	goneAfter = 75 * time.Second
	// socketIdle is how long a WebSocket may carry no message, pings aside.
	socketIdle = 5 * time.Minute
	// closingTime is what the other side has to take the end of a WebSocket.
	closingTime = 5 * time.Second
)

// sockets are the open WebSockets of a server, which net/http forgets.
type sockets struct {
	patience time.Duration // for one message to be read; 0 is for ever
	idle     time.Duration
	inFlight *semaphore.Weighted // bytes of large messages and bodies

	mu      sync.Mutex
	open    map[*socket]struct{}
	places  int // open ones, and those that are about to be
	closed  bool
	running sync.WaitGroup
}

// newSockets makes an empty set. idle 0 is the default.
func newSockets(patience, idle time.Duration, inFlight *semaphore.Weighted) *sockets {
	if idle == 0 {
		idle = socketIdle
	}
	return &sockets{patience: patience, idle: idle, inFlight: inFlight, open: map[*socket]struct{}{}}
}

// serve upgrades a request, and runs work on its socket until either ends. ctx is
// that of the work. What work returns is told to the other side before the
// socket is closed; errDone is an ordinary end. Requests that cannot be upgraded
// are refused.
func (s *sockets) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, work func(*socket) error) {
	if !websocket.IsWebSocketUpgrade(r) || r.ContentLength != 0 {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		refuse(w, r, http.StatusUpgradeRequired, errs.New(errs.InvalidRequest, "this is a WebSocket: a GET over HTTP/1.1 that upgrades, without a body"))
		return
	}
	if err := s.enter(); err != nil {
		fail(w, r, err)
		return
	}
	defer s.exit()
	upgrader := websocket.Upgrader{
		CheckOrigin:      func(*http.Request) bool { return true }, // sameOrigin has
		HandshakeTimeout: closingTime,
		Error: func(w http.ResponseWriter, r *http.Request, status int, reason error) {
			refuse(w, r, status, errs.New(errs.InvalidRequest, "%s", reason))
		},
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Error has told, or the caller has left
	}
	c := newSocket(ctx, conn, s)
	s.add(c)
	defer s.remove(c)
	var helpers sync.WaitGroup
	helpers.Go(c.read)
	helpers.Go(c.ping)
	c.finish(work(c))
	c.forget()
	helpers.Wait()
}

// enter takes a place, which exit gives back.
func (s *sockets) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return draining()
	case s.places >= maxSockets:
		return errs.New(errs.QueueFull, "%d WebSockets are open, which is the most", maxSockets)
	}
	s.places++
	s.running.Add(1)
	return nil
}

func (s *sockets) exit() {
	s.mu.Lock()
	s.places--
	s.mu.Unlock()
	s.running.Done()
}

// add makes a socket known, which remove closes.
func (s *sockets) add(c *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = struct{}{}
	if s.closed {
		c.end(draining())
	}
}

func (s *sockets) remove(c *socket) {
	_ = c.conn.Close() // it is at its end, well or not
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func draining() error { return errs.New(errs.Draining, "the server is shutting down") }

// leave refuses new sockets, tells those at rest to go, and the others when their
// work is done.
func (s *sockets) leave() { s.each((*socket).leave) }

// drain refuses new sockets and tells those that are open to go.
func (s *sockets) drain() {
	s.each(func(c *socket) { c.end(draining()) })
}

// cut closes every connection.
func (s *sockets) cut() {
	s.each(func(c *socket) {
		c.end(errGone)
		_ = c.conn.Close()
	})
	s.running.Wait()
}

func (s *sockets) each(do func(*socket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		do(c)
	}
}

// wait returns when no socket is left, or with ctx.
func (s *sockets) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Server is the HTTP server, and its WebSockets.
type Server struct {
	*http.Server
	sockets *sockets
}

// Drain tells WebSockets at rest that the server ends, and the others when their
// work is done. Requests are served as before.
func (s *Server) Drain() { s.sockets.leave() }

// Shutdown ends the server as net/http's does, and its WebSockets with the
// reason DRAINING.
func (s *Server) Shutdown(ctx context.Context) error {
	s.sockets.drain()
	return errors.Join(s.Server.Shutdown(ctx), s.sockets.wait(ctx))
}

// Close closes every connection, and waits for the WebSockets' work to stop.
func (s *Server) Close() error {
	s.sockets.cut()
	return s.Server.Close()
}
