package bodies

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/stats"

	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

const (
	// maxBacklog is how many bytes of messages may wait for their service.
	maxBacklog = 256 << 10
	// messageOverhead is what a message takes beside its bytes. It bounds the
	// number of empty messages too.
	messageOverhead = 256
)

// messageBody is the body of an RPC that lasts as long as its client sends. gRPC
// reads such a body without regard to its service. So a Read waits until the
// service has received what came before. The message that is under way counts in
// the pool, and must arrive in time.
type messageBody struct {
	*body
	done   <-chan struct{} // of the request
	hungUp func() bool     // whether the client is gone; may be nil
	http1  bool

	framing  inflight.Framing
	deadline time.Time

	closing sync.Once
	closed  chan struct{} // by Close

	mu       sync.Mutex
	waiting  []int64 // the sizes of the messages that the service has not received
	backlog  int64   // their sum
	received chan struct{}
}

func newMessageBody(b *body, r *http.Request) *messageBody {
	return &messageBody{
		body: b, done: r.Context().Done(), hungUp: inflight.HangupOf(r.Context()), http1: r.ProtoMajor == 1,
		closed: make(chan struct{}), received: make(chan struct{}, 1),
	}
}

// Read implements io.Reader.
func (m *messageBody) Read(p []byte) (int, error) {
	if f := m.failure.Load(); f != nil {
		return 0, f.err
	}
	if !m.awaitService() {
		return 0, context.Canceled
	}
	if !m.setDeadline() {
		return 0, ErrStopped
	}
	n, err := m.raw.Read(p)
	if err == nil {
		// Over HTTP/2 the deadline would end the body before the next Read.
		_ = m.setReadDeadline(time.Time{})
	}
	m.framing.Feed(p[:n], m.completed)
	latest := time.Now().Add(m.readTimeout)
	if m.deadline = inflight.Extend(m.deadline, n, latest); !m.framing.Unfinished() {
		m.deadline = latest
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && m.isStopped():
		return n, ErrStopped
	case errors.Is(err, os.ErrDeadlineExceeded):
		m.fail(tooSlow())
	case !m.reservation.Grow(m.framing.Memory()):
		m.fail(tooMany())
	default:
		if errors.Is(err, io.EOF) {
			m.end()
		} else if err != nil && !m.isStopped() {
			m.cancel() // the client is gone, and the service may be busy
		}
		return n, err
	}
	return 0, m.failure.Load().err
}

// setDeadline sets the deadline for the next bytes of a message that the client
// owes. Between messages there is none. It reports false after Close.
func (m *messageBody) setDeadline() bool {
	deadline := time.Time{}
	if m.framing.Unfinished() {
		if m.deadline.IsZero() {
			m.deadline = time.Now().Add(m.readTimeout)
		}
		deadline = m.deadline
	}
	return m.setReadDeadline(deadline)
}

// awaitService waits until the service has received most of what came. It
// reports false if the request has ended, or its client has gone. The wait is not
// the client's.
func (m *messageBody) awaitService() bool {
	var look <-chan time.Time
	for start := time.Now(); ; {
		m.mu.Lock()
		full := m.backlog >= maxBacklog
		m.mu.Unlock()
		if !full {
			if look != nil && !m.deadline.IsZero() {
				m.deadline = m.deadline.Add(time.Since(start))
			}
			return true
		}
		if look == nil {
			tick := time.NewTicker(inflight.HangupInterval)
			defer tick.Stop()
			look = tick.C
		}
		select {
		case <-m.received:
		case <-look:
			if m.hungUp != nil && m.hungUp() {
				m.cancel()
				return false
			}
		case <-m.closed:
			return false
		case <-m.done:
			return false
		}
	}
}

// Close ends a Read under way, at once or within discardTimeout: gRPC waits for
// it when the service has answered.
func (m *messageBody) Close() error {
	m.closing.Do(func() {
		close(m.closed)
		m.setDiscardDeadline(m.http1 && m.unread())
	})
	return nil
}

// completed adds a message that the service has not received.
func (m *messageBody) completed(size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size += messageOverhead
	m.waiting = append(m.waiting, size)
	m.backlog += size
}

// serviceReceived removes the oldest message.
func (m *messageBody) serviceReceived() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 {
		return
	}
	m.backlog -= m.waiting[0]
	m.waiting = m.waiting[1:]
	select {
	case m.received <- struct{}{}:
	default:
	}
}

// messagesKey is the key of the messageBody in the context of its request.
type messagesKey struct{}

// Received tells the bodies of streams what their services have received, and that
// these have answered. The gRPC server of the process needs it.
type Received struct{}

var _ stats.Handler = Received{}

// HandleRPC implements stats.Handler.
func (Received) HandleRPC(ctx context.Context, s stats.RPCStats) {
	m, ok := ctx.Value(messagesKey{}).(*messageBody)
	if !ok {
		return
	}
	switch s.(type) {
	case *stats.InPayload:
		m.serviceReceived()
	case *stats.End:
		_ = m.Close() // the transcoder closes it only when it has been read
	}
}

// TagRPC implements stats.Handler.
func (Received) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// TagConn implements stats.Handler.
func (Received) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (Received) HandleConn(context.Context, stats.ConnStats) {}
