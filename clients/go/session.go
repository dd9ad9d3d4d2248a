package modelgateway

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// maxPiece is the size of the largest piece of audio that the server takes, in bytes.
const maxPiece = 1 << 20

// Session is a transcription of speech that is spoken now. Audio is pushed, and events
// are read, by one goroutine each or by the same.
//
// If the connection breaks, the session takes it up again, within 30 seconds. If its
// server is lost, it continues on another one: it keeps the audio whose words are not
// final, and sends it again from there. No word is lost, and none comes twice. Words
// that were not final may change.
type Session struct {
	client *Client
	ctx    context.Context
	cancel context.CancelFunc

	// pushing has a place for the goroutine that sends pieces, and opening for the one
	// that opens a stream.
	pushing, opening chan struct{}

	mu         sync.Mutex
	state      sessionState
	stream     grpc.ServerStreamingClient[gatewayv1.OpenTranscriptionResponse]
	stop       context.CancelFunc // of stream
	generation int                // number of stream
}

// OpenSession opens a transcription session. It ends with ctx; see also [Session.Close].
func (c *Client) OpenSession(ctx context.Context, cfg *gatewayv1.TranscriptionConfig) (*Session, error) {
	if cfg == nil {
		cfg = &gatewayv1.TranscriptionConfig{}
	}
	from := cfg.GetResumeFrom()
	state := sessionState{config: cfg, offset: from, next: from.GetCommittedSequence()}
	s := &Session{client: c, state: state, pushing: make(chan struct{}, 1), opening: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	if err := s.open(s.ctx); err != nil {
		s.cancel()
		return nil, err
	}
	return s, nil
}

// Push sends the next audio. It waits while the server has enough audio. If it fails, or
// ctx ends, the session still has the audio: the next Push or Finish sends it first. Do
// not push it again.
func (s *Session) Push(ctx context.Context, audio []byte) error { return s.push(ctx, audio, false) }

// Finish ends the audio; the final transcript is then the last event.
func (s *Session) Finish(ctx context.Context) error { return s.push(ctx, nil, true) }

// Events returns the events: interim results, final segments, and at the end the whole
// transcript. An error is the last value.
func (s *Session) Events() iter.Seq2[*gatewayv1.TranscriptionEvent, error] {
	return func(yield func(*gatewayv1.TranscriptionEvent, error) bool) {
		receive(s.next, yield)
	}
}

// Transcript returns the whole transcript, or nil before the last event.
func (s *Session) Transcript() *gatewayv1.Transcript {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.final
}

// ServedBy returns which model answered, or nil before the last event.
func (s *Session) ServedBy() *gatewayv1.ServedBy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.served
}

// Close ends the session.
func (s *Session) Close() { s.cancel() }

// push adds audio and sends it, after what is to be sent again.
func (s *Session) push(ctx context.Context, audio []byte, last bool) error {
	s.mu.Lock()
	err := s.state.add(audio, last)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := enter(ctx, s.pushing); err != nil {
		return err
	}
	defer leave(s.pushing)
	return s.sendAll(ctx)
}

// sendAll sends the pieces that the server does not have. The caller has the place in
// pushing.
func (s *Session) sendAll(ctx context.Context) error {
	for {
		s.mu.Lock()
		req, ok := s.state.nextPush()
		generation, call := s.generation, s.state.routed(ctx)
		s.mu.Unlock()
		if !ok {
			return nil
		}
		_, err := s.client.PushAudio(call, req)
		if err != nil {
			if err := s.recover(ctx, generation, err); err != nil {
				return err
			}
			continue
		}
		s.mu.Lock()
		if s.generation == generation {
			s.state.pushed(req.GetSequence())
		}
		s.mu.Unlock()
	}
}

// next returns the next event, or io.EOF after the last.
func (s *Session) next() (*gatewayv1.TranscriptionEvent, error) {
	for {
		s.mu.Lock()
		stream, generation, done := s.stream, s.generation, s.state.final != nil
		s.mu.Unlock()
		if done {
			return nil, io.EOF
		}
		m, err := stream.Recv()
		if err == nil {
			if event := s.took(m, generation); event != nil {
				return event, nil
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			err = &Error{Code: codeOfCutStream, Message: "the stream of events ended before the transcript"}
		}
		if err := s.recover(s.ctx, generation, err); err != nil {
			return nil, err
		}
		if err := s.sendAgain(); err != nil {
			return nil, err
		}
	}
}

// sendAgain sends what a new stream has not got, for the case that nothing is pushed
// any more.
func (s *Session) sendAgain() error {
	if err := enter(s.ctx, s.pushing); err != nil {
		return err
	}
	defer leave(s.pushing)
	return s.sendAll(s.ctx)
}

// took notes a message of a stream, and returns its event; nil if it has none.
func (s *Session) took(m *gatewayv1.OpenTranscriptionResponse, generation int) *gatewayv1.TranscriptionEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation != generation {
		return nil // the next stream has it again
	}
	return s.state.took(m)
}

// recover opens the next stream after a failure of one. It returns the error if that
// cannot help.
func (s *Session) recover(ctx context.Context, generation int, failure error) error {
	if err := enter(ctx, s.opening); err != nil {
		return err
	}
	defer leave(s.opening)
	s.mu.Lock()
	current, done := s.generation == generation, s.state.final != nil
	s.mu.Unlock()
	if done {
		return nil
	}
	for current && failure != nil {
		if ctx.Err() != nil || s.ctx.Err() != nil {
			return failure
		}
		deadline, _ := ctx.Deadline()
		s.mu.Lock()
		wait, ok := s.state.failed(failure, time.Now(), deadline)
		if ok {
			s.stop() // if this opens no stream, whoever reads does
		}
		s.mu.Unlock()
		if !ok || !sleep(ctx, wait) {
			return failure
		}
		failure = s.open(ctx)
	}
	return nil
}

// open opens a stream, of the session or of a new one. It fails if until ends before.
func (s *Session) open(until context.Context) error {
	s.mu.Lock()
	ctx, stop := context.WithCancel(s.state.routed(s.ctx))
	req := s.state.open()
	s.mu.Unlock()
	opened := context.AfterFunc(until, stop)
	stream, err := s.client.OpenTranscription(ctx, req)
	var first *gatewayv1.OpenTranscriptionResponse
	if err == nil {
		first, err = stream.Recv()
	}
	var header metadata.MD
	if err == nil {
		header, err = stream.Header()
	}
	if !opened() {
		err = statusOf(until)
	}
	if err != nil {
		stop()
		return failed(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream, s.stop = stream, stop
	s.generation++
	s.state.opened(first, header, time.Now())
	return nil
}

// enter takes the only place.
func enter(ctx context.Context, place chan struct{}) error {
	select {
	case place <- struct{}{}:
		return nil
	case <-ctx.Done():
		return failed(statusOf(ctx))
	}
}

func leave(place chan struct{}) { <-place }
