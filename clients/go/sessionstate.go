package modelgateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// recoverWithin is how long a session tries to continue without an event: the server
	// keeps a session for so long after its stream broke.
	recoverWithin = 30 * time.Second
	// stood is after how long a stream counts as good: if it breaks later, the time to
	// continue begins anew.
	stood = 5 * time.Second
	// keptBytes limits the audio that a session keeps. If its words are not final when
	// there is more, the loss of the server ends the session.
	keptBytes = 64 << 20
	// codeOfCutStream is that of streams that end too early: as a broken connection.
	codeOfCutStream = codes.Unavailable
)

// sessionState is what a session knows. It makes no calls.
type sessionState struct {
	config   *gatewayv1.TranscriptionConfig
	id       string // "" if a new session is to be opened
	endpoint string // of the server that has it, if that says so

	kept []piece // not final yet, in order
	size int     // of kept, in bytes
	next int64   // number of the next new piece
	sent int64   // number of the next piece that the server expects

	event    int64 // number of the last event
	offset   *gatewayv1.TranscriptionOffset
	segments []*gatewayv1.TranscriptSegment
	before   int // segments before the present session
	final    *gatewayv1.Transcript
	served   *gatewayv1.ServedBy

	ended    bool // the last piece was added
	failures int  // since the last event, or the last stream that stood
	since    time.Time
	openedAt time.Time // when the present stream was opened; zero if it failed
	crashed  bool      // the engine crashed since the last event
}

type piece struct {
	sequence int64
	audio    []byte
	last     bool
}

// add keeps new audio, in pieces. Their numbers are never used again: the server may have
// a piece whose call failed.
func (s *sessionState) add(audio []byte, last bool) error {
	switch {
	case s.ended && last:
		return nil
	case s.ended:
		return &Error{
			Code: codes.InvalidArgument, Reason: gatewayv1.ErrorReason_ERROR_REASON_INVALID_REQUEST,
			Message: "the audio has ended: Finish was called. Open another session for more",
		}
	case !last && s.unsent() > keptBytes:
		return &Error{
			Code:    codes.ResourceExhausted,
			Message: "too much audio was not sent, because earlier pushes failed: wait for the server, and push this again",
		}
	}
	audio = append([]byte(nil), audio...)
	s.size += len(audio)
	for len(audio) > maxPiece {
		s.keep(piece{s.next, audio[:maxPiece:maxPiece], false})
		audio = audio[maxPiece:]
	}
	if len(audio) > 0 || last {
		s.keep(piece{s.next, audio, last})
	}
	s.ended = last
	s.trim()
	return nil
}

func (s *sessionState) keep(p piece) {
	s.kept = append(s.kept, p)
	s.next++
}

// unsent returns the size of the audio that the server does not have, in bytes.
func (s *sessionState) unsent() int {
	size := 0
	for _, p := range s.kept {
		if p.sequence >= s.sent {
			size += len(p.audio)
		}
	}
	return size
}

// pushed notes that the server has a piece.
func (s *sessionState) pushed(sequence int64) {
	s.sent = sequence + 1
	s.trim()
}

// trim forgets the oldest pieces that the server has, if there are too many.
func (s *sessionState) trim() {
	for s.size > keptBytes && s.kept[0].sequence < s.sent {
		s.drop()
	}
}

// drop forgets the oldest piece.
func (s *sessionState) drop() {
	s.size -= len(s.kept[0].audio)
	s.kept[0].audio = nil
	s.kept = s.kept[1:]
}

// nextPush returns the next piece that the server does not have.
func (s *sessionState) nextPush() (*gatewayv1.PushAudioRequest, bool) {
	if s.final != nil {
		return nil, false
	}
	for _, p := range s.kept {
		if p.sequence >= s.sent {
			return &gatewayv1.PushAudioRequest{SessionId: s.id, Sequence: p.sequence, Audio: p.audio, Last: p.last}, true
		}
	}
	return nil, false
}

// routed returns the context of a call for the session: it names its server.
func (s *sessionState) routed(ctx context.Context) context.Context {
	if s.id == "" || s.endpoint == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, endpointHeader, s.endpoint)
}

// open returns the request for the next stream.
func (s *sessionState) open() *gatewayv1.OpenTranscriptionRequest {
	if s.id != "" {
		return &gatewayv1.OpenTranscriptionRequest{SessionId: s.id, LastEventSequence: s.event}
	}
	if s.offset == nil {
		return &gatewayv1.OpenTranscriptionRequest{Config: s.config}
	}
	cfg := proto.CloneOf(s.config)
	cfg.ResumeFrom = s.offset
	return &gatewayv1.OpenTranscriptionRequest{Config: cfg}
}

// opened notes the first message of a stream.
func (s *sessionState) opened(first *gatewayv1.OpenTranscriptionResponse, header metadata.MD, now time.Time) {
	s.openedAt = now
	if s.id == "" {
		s.before, s.event = len(s.segments), 0
	}
	s.id, s.sent = first.GetSessionId(), first.GetNextAudioSequence()
	s.endpoint = ""
	if endpoint := header.Get(endpointHeader); len(endpoint) > 0 {
		s.endpoint = endpoint[0]
	}
}

// took notes a message, and returns its event with all that went before it; nil if it
// has none. Messages of a session that is lost do not count any more: the next one has
// the same audio. Nor do events that came before, by the stream before.
func (s *sessionState) took(m *gatewayv1.OpenTranscriptionResponse) *gatewayv1.TranscriptionEvent {
	event := m.GetEvent()
	if event == nil || m.GetSessionId() != s.id || m.GetEventSequence() <= s.event {
		return nil
	}
	s.event, s.failures, s.crashed = m.GetEventSequence(), 0, false
	if segment := event.GetSegment(); segment != nil {
		s.segments = append(s.segments, segment)
	}
	if event.GetOffset() != nil {
		s.offset = event.GetOffset()
		for len(s.kept) > 0 && s.kept[0].sequence < min(s.offset.GetCommittedSequence(), s.sent) {
			s.drop()
		}
	}
	if final := event.GetFinal(); final != nil {
		s.join(final)
		s.final, s.served = final, m.GetServedBy()
	}
	return event
}

// join puts the segments of lost sessions before a transcript.
func (s *sessionState) join(final *gatewayv1.Transcript) {
	if s.before == 0 {
		return
	}
	var texts []string
	for _, segment := range s.segments[:s.before] {
		texts = append(texts, segment.GetText())
	}
	if final.GetText() != "" {
		texts = append(texts, final.GetText())
	}
	final.Text = strings.Join(texts, " ")
	final.Segments = append(append([]*gatewayv1.TranscriptSegment(nil), s.segments[:s.before]...), final.GetSegments()...)
}

// failed notes a failure of a call. It returns how long to wait before the next stream
// is opened, and whether that can help and is before the deadline, if there is one. If
// not, nothing changes.
func (s *sessionState) failed(err error, now, deadline time.Time) (time.Duration, bool) {
	var e *Error
	if !errors.As(err, &e) {
		return 0, false
	}
	failures, since := s.failures+1, s.since
	if failures == 1 || !s.openedAt.IsZero() && now.Sub(s.openedAt) > stood {
		failures, since = 1, now
	}
	wait := retryDelay(failures)
	lost, crashed := true, s.crashed // lost: the server does not have the session
	switch {
	case e.is(ErrSessionLost), e.is(ErrDraining):
		if failures == 1 {
			wait = 0
		}
	case e.is(ErrEngineCrashed) && !crashed:
		crashed, wait = true, max(wait, e.RetryAfter)
	case e.broken():
		lost = s.id == ""
	case failures > 1 && s.id == "" && e.RetryAfter > 0:
		wait = e.RetryAfter // no server has a place for it yet
	default:
		return 0, false
	}
	again := now.Add(wait)
	if lost && !s.canMove() || again.Sub(since) > recoverWithin || !deadline.IsZero() && !again.Before(deadline) {
		return 0, false
	}
	s.failures, s.since, s.crashed, s.openedAt = failures, since, crashed, time.Time{}
	if lost {
		s.id = ""
	}
	if lost || failures > 3 {
		s.endpoint = "" // ask another server
	}
	return wait, true
}

// canMove reports whether all audio is there that another server would need.
func (s *sessionState) canMove() bool {
	first := s.next
	if len(s.kept) > 0 {
		first = s.kept[0].sequence
	}
	return first <= s.offset.GetCommittedSequence()
}

// statusOf returns the error of a context that has ended, as gRPC does.
func statusOf(ctx context.Context) error { return status.FromContextError(ctx.Err()).Err() }
