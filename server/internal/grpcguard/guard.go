// Package grpcguard bounds what the clients of the gRPC server may make it hold:
// the bytes of messages, as they arrive; calls that are reset; messages that come
// too slowly; answers that nobody reads.
//
// grpc-go has no hook for bytes that arrive before their message is complete. So
// the guard wraps the connections and reads the headers of their HTTP/2 frames.
// grpc-go reads a guarded connection without a buffer of its own: when it asks
// whether a new stream may begin, the header of that stream is the last that the
// guard has read.
package grpcguard

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/tap"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

const (
	// smallBytes is how many bytes of a stream do not count in the memory that it
	// shares with others, so that small requests pass while large ones fill that.
	smallBytes = 64 << 10
	// allSmallBytes is the limit of these bytes of all streams together.
	allSmallBytes = 64 << 20
	// maxUnread is how many bytes of answers may wait for the client of one
	// connection before it gets no new calls.
	maxUnread = 32 << 20
	// sweepInterval is the time between two looks for what takes too long.
	sweepInterval = time.Second
)

// Options are the limits.
type Options struct {
	// Pool is the memory that messages share with the bodies of HTTP requests.
	Pool *inflight.Pool
	// MaxStreams is the limit of calls on one connection, with those whose answer
	// was not read yet.
	MaxStreams int
	// Calls are the places of calls of all connections, and of HTTP requests.
	Calls *inflight.Shares
	// Cancels counts the calls that peers cancel. A connection of a peer that
	// cancels too many is read slowly.
	Cancels *inflight.Rates
	// Proxies are trusted to say whose a call is.
	Proxies peers.Proxies
	// KeyOf returns the public part of the API key in the header of a call; empty if it
	// has no valid one. Nil: no call has one.
	KeyOf func(header metadata.MD) string
	// UnreadTimeout is how long a client may read nothing of an answer that waits
	// for it; 0 is no limit.
	UnreadTimeout time.Duration

	messageTimeout time.Duration // shorter in tests
	sweepInterval  time.Duration // shorter in tests
}

// Guard guards the connections of a gRPC server.
type Guard struct {
	opts  Options
	small *inflight.Pool

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// New returns a guard.
func New(opts Options) *Guard {
	if opts.messageTimeout == 0 {
		opts.messageTimeout, opts.sweepInterval = inflight.SendTimeout, sweepInterval
	}
	return &Guard{opts: opts, small: inflight.NewPool(allSmallBytes), conns: map[*conn]struct{}{}}
}

// ServerOptions returns the options of the server.
func (g *Guard) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ReadBufferSize(0), // see the comment of the package
		grpc.InTapHandle(g.admit),
		grpc.StatsHandler(sent{}),
		// grpc-go would otherwise let a stream that its service does not read grow
		// to 16 MiB.
		grpc.StaticStreamWindowSize(smallBytes),
		grpc.StaticConnWindowSize(1 << 20),
	}
}

// Listen returns a listener whose connections are guarded.
func (g *Guard) Listen(lis net.Listener) net.Listener {
	l := &listener{Listener: lis, guard: g, closed: make(chan struct{})}
	go l.sweep()
	return l
}

type listener struct {
	net.Listener
	guard  *Guard
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := newConn(raw, l.guard)
	l.guard.mu.Lock()
	defer l.guard.mu.Unlock()
	l.guard.conns[c] = struct{}{}
	return c, nil
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// sweep ends what takes too long, until the listener is closed.
func (l *listener) sweep() {
	tick := time.NewTicker(l.guard.opts.sweepInterval)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			for _, c := range l.guard.all() {
				c.endLate(now)
			}
		case <-l.closed:
			return
		}
	}
}

func (g *Guard) all() []*conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		all = append(all, c)
	}
	return all
}

func (g *Guard) remove(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

// admit decides whether a stream may begin. gRPC calls it when it has read the
// stream's headers.
func (g *Guard) admit(ctx context.Context, info *tap.Info) (context.Context, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ctx, nil
	}
	a, ok := p.Addr.(address)
	if !ok {
		return ctx, nil
	}
	return a.conn.open(ctx, info.Header)
}

// Receive receives a message with recv, and returns before it does if the guard
// refuses the message or if ctx ends. ctx is that of the call, or one that ends
// before. After an error the message must not be used, and the call must end, which
// ends recv.
func Receive(ctx context.Context, recv func() error) error {
	var refused <-chan struct{} // never, if the connection has no guard
	s, guarded := ctx.Value(streamKey{}).(*stream)
	if guarded {
		refused = s.refused
		arrived := s.resume()
		defer s.pause()
		if arrived { // recv does not wait for the client
			return recv()
		}
	}
	// If gRPC's own receiving fails, gRPC answers the call at once, with an error
	// without a reason.
	received := make(chan error, 1)
	go func() { received <- recv() }()
	select {
	case err := <-received:
		return err
	case <-refused:
		return s.refusal
	case <-ctx.Done():
		return errs.From(context.Cause(ctx))
	}
}

// sent counts the bytes of answers that gRPC has taken from the services.
type sent struct{}

// TagRPC implements stats.Handler.
func (sent) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (sent) HandleRPC(ctx context.Context, s stats.RPCStats) {
	out, ok := s.(*stats.OutPayload)
	if !ok {
		return
	}
	if st, ok := ctx.Value(streamKey{}).(*stream); ok {
		st.answered(int64(out.WireLength))
	}
}

// TagConn implements stats.Handler.
func (sent) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (sent) HandleConn(context.Context, stats.ConnStats) {}
