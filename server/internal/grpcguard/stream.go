package grpcguard

import (
	"context"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// stream is a call on a guarded connection. The connection's mu guards it.
type stream struct {
	conn   *conn
	peer   string
	caller string // whose shares it uses
	cancel context.CancelFunc
	// refused is closed when the stream is refused; refusal says why.
	refused chan struct{}
	refusal error

	// Of what the client sends.
	messages inflight.Framing
	whole    int // messages that have arrived with the frames they end in: gRPC has them
	taken    int // messages that the service has asked for
	total    int64
	due      time.Time // when the next bytes of a message that is owed must have come
	paused   time.Time // since when the service, which has received a message, asks for no other
	small    int64     // bytes that it holds, of the first smallBytes
	large    int64     // and of the rest
	released bool

	// Of the answer.
	unread    int64     // bytes that were not written yet
	progress  time.Time // when it was last written, or began to wait
	forgotten bool
}

// streamKey is the key of the stream in the context of its call.
type streamKey struct{}

// arrived takes data of the client; last says that its frame ends with it.
func (s *stream) arrived(part []byte, last bool, now time.Time) {
	s.messages.Feed(part, nil)
	if last {
		s.whole = s.messages.Count()
	}
	s.total += int64(len(part))
	if s.released || s.refusal != nil {
		return
	}
	latest := now.Add(s.conn.guard.opts.messageTimeout)
	if s.due = inflight.Extend(s.due, len(part), latest); !s.messages.Unfinished() {
		s.due = latest
	}
	if !s.hold(max(min(s.total, smallBytes), s.messages.Memory())) {
		s.refuse(errs.New(errs.QueueFull, "the server has no memory left for messages: try again soon").WithRetryAfter(time.Second))
	}
}

// refuse makes the call fail.
func (s *stream) refuse(err *errs.Error) {
	s.refusal = err
	close(s.refused)
}

// hold makes the stream hold at least so many bytes, and reports whether there
// was memory for them.
func (s *stream) hold(bytes int64) bool {
	c := s.conn
	small := min(bytes, smallBytes)
	return grow(c.guard.small, s.caller, &s.small, small, &c.small, allSmallBytes/8) &&
		grow(c.guard.opts.Pool, s.caller, &s.large, bytes-small, &c.large, c.guard.opts.Pool.Size()*3/4)
}

// grow makes one stream of a caller hold at least want bytes of a pool. The
// connection may hold share of it, and the caller what the pool leaves to one.
func grow(pool *inflight.Pool, caller string, held *int64, want int64, conn *int64, share int64) bool {
	more := want - *held
	if more <= 0 {
		return true
	}
	if *conn+more > share || !pool.Take(caller, more) {
		return false
	}
	*held += more
	*conn += more
	return true
}

// release returns all bytes of the client: the call has ended.
func (s *stream) release() {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	s.released = true
	c.guard.opts.Calls.GiveBack(s.caller, 1)
	c.guard.small.GiveBack(s.caller, s.small)
	c.guard.opts.Pool.GiveBack(s.caller, s.large)
	c.small -= s.small
	c.large -= s.large
	s.small, s.large = 0, 0
}

// pause says that the service asks for no message. The client may then not be able
// to send: gRPC lets it send a window full.
func (s *stream) pause() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.paused = time.Now()
}

// resume says that the service asks for a message, and reports whether all of it has
// arrived: gRPC takes no part of a frame. The pause is not the client's.
func (s *stream) resume() (arrived bool) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if !s.paused.IsZero() {
		s.due = s.due.Add(time.Since(s.paused))
		s.paused = time.Time{}
	}
	s.taken++
	return s.refusal == nil && s.whole >= s.taken
}

// late reports whether the client owes a message for too long.
func (s *stream) late(now time.Time) bool {
	return !s.released && s.paused.IsZero() && s.messages.Unfinished() && now.After(s.due)
}

// answered takes bytes of the answer, from the service.
func (s *stream) answered(bytes int64) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.forgotten {
		return
	}
	if s.unread <= 0 {
		s.progress = time.Now()
	}
	s.unread += bytes
	s.conn.unread += bytes
}

// written takes bytes of the answer that are written to the connection. They may
// come before answered.
func (s *stream) written(bytes int64, now time.Time) {
	s.unread -= bytes
	s.conn.unread -= bytes
	s.progress = now
}

// stalled reports whether the client reads nothing of an answer for too long.
// While the call is at work, its service may notice that first.
func (s *stream) stalled(now time.Time) bool {
	timeout := s.conn.guard.opts.UnreadTimeout
	if !s.released {
		timeout *= 2
	}
	return timeout > 0 && s.unread > 0 && now.After(s.progress.Add(timeout))
}
