package api

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

const (
	// reorderWindow is how far the sequence number of a piece may be ahead of the next
	// expected one.
	reorderWindow = 256
	// queueLimit is how much audio of a session may wait for the engine, in bytes: about
	// four minutes of 16 kHz speech. Further pushes wait.
	queueLimit = 8 << 20
	// totalQueueLimit is how much audio may wait in all sessions; a caller gets its share
	// of it. Further pushes are refused.
	totalQueueLimit = 256 << 20
	// pieceOverhead is the memory that a piece takes in addition to its audio, in bytes.
	// It bounds the number of empty pieces too.
	pieceOverhead = 256
	// idleTimeout is how long a session waits for audio before it ends.
	idleTimeout = 5 * time.Minute
)

// session is a transcription that OpenTranscription began. PushAudio feeds it with
// audio. Events go to the stream that is attached, and are kept for a stream that
// attaches later. mu guards the fields below it; changed is closed and replaced
// whenever one of them changes.
type session struct {
	id     string
	cancel context.CancelFunc
	caller string           // who opened it; see peers.Caller
	owner  string           // who opened it; see auth.Caller.Owner
	all    *inflight.Shares // bytes of audio that wait in all sessions
	opened time.Time

	mu      sync.Mutex
	changed chan struct{}

	// Audio.
	progress *progress
	first    int64            // the first expected sequence number
	next     int64            // the next expected sequence number
	early    map[int64][]byte // pieces with later sequence numbers
	last     int64            // sequence number of the last piece, -1 if not known yet
	ready    [][]byte         // pieces in order that the engine has not read yet
	waiting  int              // size of ready and early, by pieceSize
	active   time.Time        // when audio last came or was read

	// Events.
	begun    bool // the router wants audio, so the request is valid
	sequence int64
	events   []*gatewayv1.OpenTranscriptionResponse
	kept     int // size of events, by eventSize
	ended    bool
	err      error
	attached int  // number of the attached stream; streams with lower numbers must end
	detached bool // the attached stream has ended
}

// newSession returns a session of a caller. all counts the bytes that wait in all
// sessions.
func newSession(id string, cancel context.CancelFunc, caller string, all *inflight.Shares) *session {
	now := time.Now()
	return &session{
		id: id, cancel: cancel, caller: caller, all: all, opened: now, active: now,
		changed: make(chan struct{}), early: map[int64][]byte{}, last: -1, progress: &progress{distance: markDistance},
	}
}

// continues says where the audio begins. It is called before the first audio.
func (s *session) continues(p *progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress, s.first, s.next = p, p.sequence, p.sequence
}

// touch wakes all goroutines that wait for a change. The caller holds mu.
func (s *session) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until done returns true. It calls done under mu.
func (s *session) await(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		ok, changed := done(), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// push adds a piece of audio. Pieces may come twice or out of order. It returns the
// next expected sequence number.
func (s *session) push(ctx context.Context, req *gatewayv1.PushAudioRequest) (int64, error) {
	err := s.await(ctx, func() bool {
		// The next expected piece is accepted even if early pieces fill the queue.
		wanted := req.GetSequence() < s.next || req.GetSequence() == s.next && len(s.ready) == 0
		return s.ended || wanted || s.waiting+pieceSize(req.GetAudio()) <= queueLimit
	})
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := req.GetSequence()
	_, known := s.early[seq]
	switch {
	case s.ended && s.err != nil:
		return 0, s.err
	case s.ended || seq < s.next || known:
		s.endOfKnown(req)
		return s.next, nil
	case s.last >= 0 && seq > s.last:
		return 0, errs.New(errs.InvalidRequest, "sequence %d is after the last piece, which was %d", seq, s.last)
	case seq >= s.next+reorderWindow:
		return 0, errs.New(errs.InvalidRequest, "sequence %d is %d or more ahead of %d, the next expected one: push pieces in order", seq, reorderWindow, s.next)
	}
	if err := s.reserve(pieceSize(req.GetAudio())); err != nil {
		return 0, err
	}
	if req.GetLast() {
		s.last = seq
	}
	s.early[seq] = req.GetAudio()
	s.active = time.Now()
	for piece, ok := s.early[s.next]; ok; piece, ok = s.early[s.next] {
		delete(s.early, s.next)
		wanted := s.progress.take(piece)
		s.free(len(piece) - len(wanted))
		s.ready = append(s.ready, wanted)
		s.next++
	}
	s.touch()
	return s.next, nil
}

// endOfKnown ends the audio after the pieces that have come, if a client says that an
// empty piece is the last whose number another one had: it believed that the call for
// that one had failed. The caller holds mu.
func (s *session) endOfKnown(req *gatewayv1.PushAudioRequest) {
	if req.GetLast() && len(req.GetAudio()) == 0 && req.GetSequence() < s.next && s.last < 0 {
		s.last = s.next - 1
		s.touch()
	}
}

// unused reports whether the client is gone, or has sent no piece yet.
func (s *session) unused() (gone, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.detached, s.next == s.first && len(s.early) == 0
}

// pieceSize returns the memory that a piece takes while it waits, in bytes.
func pieceSize(piece []byte) int { return len(piece) + pieceOverhead }

// reserve counts n more bytes that wait. The caller holds mu.
func (s *session) reserve(n int) error {
	if !s.all.Take(s.caller, int64(n)) {
		return errs.New(errs.QueueFull, "too much audio waits in open transcriptions: %d MiB are possible, and less for one caller; push this piece again later", totalQueueLimit>>20)
	}
	s.waiting += n
	return nil
}

// free counts n fewer bytes that wait. The caller holds mu.
func (s *session) free(n int) {
	s.all.GiveBack(s.caller, int64(n))
	s.waiting -= n
}

// Next implements router.Audio. It fails if no audio comes for idleTimeout: the
// caller may be gone, and others wait for the model. A session without a stream
// has no audio for the engine: nobody would get the result.
func (s *session) Next(ctx context.Context) ([]byte, error) {
	s.begin()
	if err := s.awaitAudio(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 {
		return nil, io.EOF
	}
	piece := s.ready[0]
	s.ready = slices.Delete(s.ready, 0, 1)
	s.free(pieceSize(piece))
	s.active = time.Now()
	s.touch()
	return piece, nil
}

// AwaitPresence implements router.Leaver: the client is there while it has a
// stream.
func (s *session) AwaitPresence(ctx context.Context, present bool) error {
	return s.await(ctx, func() bool { return s.detached != present })
}

// begin lets the attached stream tell its caller to push audio.
func (s *session) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun {
		s.begun = true
		s.touch()
	}
}

func (s *session) awaitAudio(ctx context.Context) error {
	for {
		s.mu.Lock()
		limit := s.active.Add(idleTimeout)
		s.mu.Unlock()
		idle, cancel := context.WithDeadline(ctx, limit)
		err := s.await(idle, func() bool { return !s.detached && (len(s.ready) > 0 || s.complete()) })
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		s.mu.Lock()
		still := s.active.Add(idleTimeout).Equal(limit)
		s.mu.Unlock()
		if still {
			return errs.New(errs.DeadlineExceeded, "no audio was pushed for %s", idleTimeout)
		}
	}
}

// complete reports whether every piece up to the last has come. The caller holds mu.
func (s *session) complete() bool { return s.last >= 0 && s.next > s.last }
