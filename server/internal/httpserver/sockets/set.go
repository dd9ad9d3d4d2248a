// Package sockets serves WebSockets: it reads and writes their messages within
// bounds of size, time and memory, and closes them with a reason. Its callers
// define what the messages mean.
package sockets

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

const (
	// maxSockets bounds the open WebSockets; a caller gets its share of them.
	maxSockets = 512
	// pingInterval is the time between two pings, and pongTimeout how long a client
	// may send nothing at all.
	pingInterval = 25 * time.Second
	pongTimeout  = 75 * time.Second
	// defaultIdleTimeout is how long a WebSocket may carry no message; pings and
	// pongs do not count.
	defaultIdleTimeout = 5 * time.Minute
	// closeTimeout is how long a client may take to read the end of a WebSocket.
	closeTimeout = 5 * time.Second
)

const (
	// Protocol is the subprotocol of all sockets. Clients need not name it, except
	// browsers that name another: they must be answered with one of theirs.
	Protocol = "modelgateway"
	// TokenProtocol begins the subprotocol that has a browser's API key.
	TokenProtocol = "modelgateway.key."
	// OpenAIProtocol is the subprotocol of OpenAI's clients.
	OpenAIProtocol = "realtime"
	// OpenAITokenProtocol is their TokenProtocol.
	OpenAITokenProtocol = "openai-insecure-api-key."
)

// Form is what the messages of a path are.
type Form struct {
	// Error returns an error as a message.
	Error func(error) []byte
	// MaxBytes is the size of the largest message of a client. 0 means 1 MiB.
	MaxBytes int64
	// Copies is how much memory a message takes until the next one, as a multiple of
	// its size. 0 means 1.
	Copies int64
}

// Options are the bounds of all sockets of a Set.
type Options struct {
	// WriteTimeout is how long a client may take to read one message. 0 means no
	// limit.
	WriteTimeout time.Duration
	// IdleTimeout is how long a socket may carry no message. 0 is the default.
	IdleTimeout time.Duration
	// Pool bounds the memory of large messages. Required.
	Pool *inflight.Pool
}

// Set is the open WebSockets of a server. They need a shutdown of their own:
// net/http no longer knows a connection that has become a WebSocket.
type Set struct {
	opts Options

	mu      sync.Mutex
	open    map[*Socket]struct{}
	places  *inflight.Shares // of open ones, and of those in the handshake
	closed  bool
	running sync.WaitGroup
}

// NewSet returns an empty set.
func NewSet(opts Options) *Set {
	if opts.IdleTimeout == 0 {
		opts.IdleTimeout = defaultIdleTimeout
	}
	return &Set{opts: opts, open: map[*Socket]struct{}{}, places: inflight.NewShares(maxSockets)}
}

// Serve upgrades a request to a WebSocket and calls work with it. ctx becomes
// the context of the socket, which also ends when the key of its caller does. The error
// that work returns is sent to the client, and the socket is closed; ErrDone is
// the normal end. A request that is not an upgrade is refused, with the error of an
// upgrade if that would be refused, too: pages in browsers cannot see that one.
func (s *Set) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request, form Form, work func(*Socket) error) {
	caller := peers.Caller(r.Context())
	if !websocket.IsWebSocketUpgrade(r) || r.ContentLength != 0 {
		if err := s.check(caller); err != nil {
			reply.Fail(w, r, err)
			return
		}
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		reply.Refuse(w, r, http.StatusUpgradeRequired, errs.New(errs.InvalidRequest,
			"this path is a WebSocket; send a GET over HTTP/1.1 with Upgrade: websocket and no body"))
		return
	}
	if err := s.enter(caller); err != nil {
		reply.Fail(w, r, err)
		return
	}
	var c *Socket
	defer func() { s.exit(caller, c) }()
	upgrader := websocket.Upgrader{
		CheckOrigin:      func(*http.Request) bool { return true }, // the server checks all origins
		HandshakeTimeout: closeTimeout,
		Subprotocols:     []string{Protocol, OpenAIProtocol},
		Error: func(w http.ResponseWriter, r *http.Request, status int, reason error) {
			reply.Refuse(w, r, status, errs.New(errs.InvalidRequest, "%s", reason))
		},
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered, or the client is gone
	}
	ctx, end := auth.CallerOf(ctx).While(ctx)
	defer end()
	form.MaxBytes, form.Copies = cmp.Or(form.MaxBytes, maxMessageBytes), cmp.Or(form.Copies, 1)
	c = newSocket(ctx, conn, s.opts, form)
	s.add(c)
	defer s.remove(c)
	c.run(work)
}

// enter takes a place for a socket of a caller, until exit.
func (s *Set) enter(caller string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	silent, err := s.take(caller)
	if err != nil {
		return err
	}
	if silent != nil {
		silent.replaced = true
		silent.End(errs.New(errs.QueueFull, "too many WebSockets are open, and this one had no work for the longest time; open one when you need it"))
	}
	s.running.Add(1)
	return nil
}

// check returns the error that enter would return. It takes no place.
func (s *Set) check(caller string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	silent, err := s.take(caller)
	if err == nil && silent == nil {
		s.places.GiveBack(caller, 1)
	}
	return err
}

// take takes a place for a socket of a caller. If none is free, it returns the open
// socket that must leave its own. mu is held.
func (s *Set) take(caller string) (silent *Socket, err error) {
	if s.closed {
		return nil, errDraining()
	}
	if s.places.Take(caller, 1) {
		return nil, nil
	}
	if silent = s.silent(caller); silent == nil {
		return nil, errs.New(errs.QueueFull, "too many WebSockets are open: %d are possible, and fewer for one caller; try again later", maxSockets)
	}
	return silent, nil
}

// exit gives back the place of a socket, which is nil if its handshake failed.
func (s *Set) exit(caller string, c *Socket) {
	s.mu.Lock()
	if c == nil || !c.replaced {
		s.places.GiveBack(caller, 1)
	}
	s.mu.Unlock()
	s.running.Done()
}

// silent returns the socket of a caller that has been without work for the longest
// time; nil if all have work. mu is held.
func (s *Set) silent(caller string) (silent *Socket) {
	var since time.Time
	for c := range s.open {
		if at, idle := c.idleSince(); c.caller == caller && !c.replaced && idle && (silent == nil || at.Before(since)) {
			silent, since = c, at
		}
	}
	return silent
}

func (s *Set) add(c *Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = struct{}{}
	if s.closed {
		c.End(errDraining())
	}
}

func (s *Set) remove(c *Socket) {
	_ = c.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func errDraining() error { return errs.ShuttingDown() }

// Drain refuses new sockets, ends those without work, and the others when their
// work is done.
func (s *Set) Drain() { s.closeEach((*Socket).drain) }

// EndAll refuses new sockets and ends those that are open, with the reason
// DRAINING.
func (s *Set) EndAll() { s.closeEach(func(c *Socket) { c.End(errDraining()) }) }

// CloseAll closes every connection at once, and waits until all work has
// stopped.
func (s *Set) CloseAll() {
	s.closeEach(func(c *Socket) {
		c.End(errGone)
		_ = c.conn.Close()
	})
	s.running.Wait()
}

func (s *Set) closeEach(end func(*Socket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		end(c)
	}
}

// Wait returns when no socket is open any more, or when ctx ends.
func (s *Set) Wait(ctx context.Context) error {
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
