package api

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// reorderWindow is how far ahead of the expected sequence a piece may be.
	reorderWindow = 256
	// queuedBytes bounds the audio that waits for the engine: about four
	// minutes of 16 kHz speech. Pushes wait while it is full.
	queuedBytes = 8 << 20
	// allQueuedBytes bounds it over all sessions: pushes are refused then.
	allQueuedBytes = 256 << 20
	// pieceOverhead is what a piece takes beside its audio, in bytes, so that
	// empty ones cannot pile up either.
	pieceOverhead = 256
	// idleTime is how long a session waits for audio before it ends.
	idleTime = 5 * time.Minute
)

// session is an open transcription: audio comes in by pushes, events go out to
// whichever stream is attached, and are kept for one that reattaches. All
// fields below mu are guarded by it; changed is closed and replaced whenever
// one of them changes.
type session struct {
	id     string
	cancel context.CancelFunc
	all    *atomic.Int64 // bytes that wait in all sessions

	mu      sync.Mutex
	changed chan struct{}

	// Audio.
	next    int64            // the sequence that is expected
	early   map[int64][]byte // pieces that came before their turn
	last    int64            // sequence of the last piece, -1 while not known
	ready   [][]byte         // pieces in order that the engine has not taken
	waiting int              // cost of ready and early
	active  time.Time        // when audio last came or went

	// Events.
	begun    bool // audio is asked for: the request is in order
	sequence int64
	events   []*gatewayv1.OpenTranscriptionResponse
	kept     int // bytes of events, about
	ended    bool
	err      error
	owner    int // number of the attached stream; an older one gives way
}

// newSession makes a session; all counts the bytes that wait in every one.
func newSession(id string, cancel context.CancelFunc, all *atomic.Int64) *session {
	return &session{id: id, cancel: cancel, all: all, active: time.Now(), changed: make(chan struct{}), early: map[int64][]byte{}, last: -1}
}

// touch wakes everyone who waits for a change. mu is held.
func (s *session) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until done, which is called under mu, returns true.
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

// push takes a piece in, whichever way it comes: repeated, early or late. It
// returns the next sequence that is expected.
func (s *session) push(ctx context.Context, req *gatewayv1.PushAudioRequest) (int64, error) {
	err := s.await(ctx, func() bool {
		// The piece that is expected next must get in past any early ones.
		wanted := req.GetSequence() < s.next || req.GetSequence() == s.next && len(s.ready) == 0
		return s.ended || wanted || s.waiting+cost(req.GetAudio()) <= queuedBytes
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
		return s.next, nil
	case s.last >= 0 && seq > s.last:
		return 0, errs.New(errs.InvalidRequest, "sequence %d comes after the last piece, %d", seq, s.last)
	case seq >= s.next+reorderWindow:
		return 0, errs.New(errs.InvalidRequest, "sequence %d is more than %d ahead of %d, which is expected next", seq, reorderWindow, s.next)
	}
	if err := s.hold(cost(req.GetAudio())); err != nil {
		return 0, err
	}
	if req.GetLast() {
		s.last = seq
	}
	s.early[seq] = req.GetAudio()
	s.active = time.Now()
	for piece, ok := s.early[s.next]; ok; piece, ok = s.early[s.next] {
		delete(s.early, s.next)
		s.ready = append(s.ready, piece)
		s.next++
	}
	s.touch()
	return s.next, nil
}

// cost is what a piece takes while it waits, in bytes.
func cost(piece []byte) int { return len(piece) + pieceOverhead }

// hold counts n more bytes that wait; free, with mu held like it, n less.
func (s *session) hold(n int) error {
	if s.all.Add(int64(n)) > allQueuedBytes {
		s.all.Add(int64(-n))
		return errs.New(errs.QueueFull, "%d MiB of audio wait in all transcriptions, which is the most", allQueuedBytes>>20)
	}
	s.waiting += n
	return nil
}

func (s *session) free(n int) {
	s.all.Add(int64(-n))
	s.waiting -= n
}

// Next implements router.Audio. A session to which no audio comes for long ends:
// its caller may be gone without a word, and the model is not for it alone.
func (s *session) Next(ctx context.Context) ([]byte, error) {
	s.ask()
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
	s.free(cost(piece))
	s.active = time.Now()
	s.touch()
	return piece, nil
}

// ask tells the caller that audio can come.
func (s *session) ask() {
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
		limit := s.active.Add(idleTime)
		s.mu.Unlock()
		idle, cancel := context.WithDeadline(ctx, limit)
		err := s.await(idle, func() bool { return len(s.ready) > 0 || s.complete() })
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		s.mu.Lock()
		still := s.active.Add(idleTime).Equal(limit)
		s.mu.Unlock()
		if still {
			return errs.New(errs.DeadlineExceeded, "no audio came for %s", idleTime)
		}
	}
}

// complete tells whether every piece up to the last has come. mu is held.
func (s *session) complete() bool { return s.last >= 0 && s.next > s.last }

// Begin implements router.Sink.
func (s *session) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now() // the wait for the model was not the caller's
	s.touch()
}

// Emit implements router.Sink.
func (s *session) Emit(resp *enginev1.RunResponse) error {
	event := resp.GetTranscribe()
	if event == nil {
		return wrongAnswer()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record(event)
}

// Committed implements router.Sink.
func (s *session) Committed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events) > 0
}

// record appends an event. An interim result before it is worth nothing any
// more, so a long session keeps only what is final. mu is held.
func (s *session) record(event *gatewayv1.TranscriptionEvent) error {
	if n := len(s.events); n > 0 && s.events[n-1].GetEvent().GetInterim() != nil {
		s.kept -= eventSize(s.events[n-1].GetEvent())
		s.events = s.events[:n-1]
	}
	if s.kept += eventSize(event); s.kept > maxEvents {
		return tooLong(maxEvents)
	}
	s.sequence++
	s.events = append(s.events, &gatewayv1.OpenTranscriptionResponse{
		SessionId: s.id, EventSequence: s.sequence, Event: event, NextAudioSequence: s.next,
	})
	s.touch()
	return nil
}

// eventSize is about what a kept event takes, in bytes.
func eventSize(event *gatewayv1.TranscriptionEvent) int {
	const overhead = 256 // of the messages around the text
	return overhead + proto.Size(event)
}

// end records how the transcription ended.
func (s *session) end(served *gatewayv1.ServedBy, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.err = true, err
	s.ready, s.early = nil, nil
	s.free(s.waiting)
	if n := len(s.events); err == nil && n > 0 && s.events[n-1].GetEvent().GetFinal() != nil {
		s.events[n-1].ServedBy = served
	}
	s.touch()
}

// attach makes a stream the one that events go to.
func (s *session) attach() (owner int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owner++
	s.touch()
	return s.owner
}

// after returns the events after a sequence. A final event waits for the end,
// which tells who served.
func (s *session) after(sequence int64) []*gatewayv1.OpenTranscriptionResponse {
	var events []*gatewayv1.OpenTranscriptionResponse
	for _, e := range s.events {
		if e.GetEventSequence() > sequence && (s.ended || e.GetEvent().GetFinal() == nil) {
			events = append(events, e)
		}
	}
	return events
}

// feed sends events to an attached stream until the end. delivered is true if
// the caller has everything.
func (s *session) feed(ctx context.Context, owner int, sequence int64, send func(*gatewayv1.OpenTranscriptionResponse) error) (delivered bool, err error) {
	if err := s.await(ctx, func() bool { return s.begun || s.ended || s.owner != owner }); err != nil {
		return false, err
	}
	greeted := false
	for {
		var events []*gatewayv1.OpenTranscriptionResponse
		var ended, displaced bool
		var failure error
		var next int64
		err := s.await(ctx, func() bool {
			events, ended, displaced, failure, next = s.after(sequence), s.ended, s.owner != owner, s.err, s.next
			return len(events) > 0 || ended || displaced || !greeted
		})
		switch {
		case err != nil:
			return false, err
		case displaced:
			return false, errs.New(errs.Cancelled, "another stream took up this session")
		case failure != nil && len(events) == 0:
			return true, failure
		}
		if !greeted {
			greeted = true
			if err := send(&gatewayv1.OpenTranscriptionResponse{SessionId: s.id, EventSequence: sequence, NextAudioSequence: next}); err != nil {
				return false, err
			}
		}
		for _, e := range events {
			if err := send(e); err != nil {
				return false, err
			}
			sequence = e.GetEventSequence()
		}
		if ended {
			return true, failure
		}
	}
}
