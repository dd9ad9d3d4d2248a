package modelgateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

var (
	errBroken = &Error{Code: codes.Unavailable}
	errLost   = &Error{Code: codes.NotFound, Reason: gatewayv1.ErrorReason_ERROR_REASON_SESSION_LOST}
	start     = time.Unix(1000, 0)
)

// opened returns the state of a session that was opened at start.
func opened(id string) *sessionState {
	s := &sessionState{config: &gatewayv1.TranscriptionConfig{}}
	s.opened(&gatewayv1.OpenTranscriptionResponse{SessionId: id}, metadata.MD{}, start)
	return s
}

// heard returns a message with a segment.
func heard(id string, sequence int64, text string, committed int64) *gatewayv1.OpenTranscriptionResponse {
	return &gatewayv1.OpenTranscriptionResponse{SessionId: id, EventSequence: sequence, Event: &gatewayv1.TranscriptionEvent{
		Event:  &gatewayv1.TranscriptionEvent_Segment{Segment: &gatewayv1.TranscriptSegment{Text: text}},
		Offset: &gatewayv1.TranscriptionOffset{CommittedSequence: committed},
	}}
}

// pushAll pushes what the server does not have, and returns that.
func pushAll(s *sessionState) (pushed []string) {
	for req, ok := s.nextPush(); ok; req, ok = s.nextPush() {
		pushed = append(pushed, fmt.Sprintf("%s %d %.5s %v", req.GetSessionId(), req.GetSequence(), req.GetAudio(), req.GetLast()))
		s.pushed(req.GetSequence())
	}
	return pushed
}

func TestEventsOfLostSessionAreNotTaken(t *testing.T) {
	for name, failure := range map[string]*Error{"lost": errLost, "crashed": {Reason: gatewayv1.ErrorReason_ERROR_REASON_ENGINE_CRASHED}} {
		t.Run(name, func(t *testing.T) {
			s := opened("a")
			for _, audio := range []string{"1", "2", "3"} {
				if err := s.add([]byte(audio), false); err != nil {
					t.Fatal(err)
				}
			}
			pushAll(s)
			if s.took(heard("a", 1, "one", 1)) == nil {
				t.Fatal("an event was not taken")
			}
			if _, ok := s.failed(failure, start, time.Time{}); !ok {
				t.Fatal("the session ends")
			}
			from := s.open().GetConfig().GetResumeFrom().GetCommittedSequence()
			if s.took(heard("a", 2, "two", 2)) != nil { // the old stream had it still
				t.Error("took an event of the lost session")
			}
			s.opened(&gatewayv1.OpenTranscriptionResponse{SessionId: "b", NextAudioSequence: from}, metadata.MD{}, start)
			if s.took(heard("a", 3, "three", 3)) != nil {
				t.Error("took an event of the lost session later")
			}
			if pushed := pushAll(s); !slices.Equal(pushed, []string{"b 1 2 false", "b 2 3 false"}) {
				t.Errorf("pushed %q", pushed)
			}
			if s.took(heard("b", 1, "two", 2)) == nil || len(s.segments) != 2 {
				t.Errorf("%v", s.segments)
			}
		})
	}
}

func TestEventThatComesTwiceIsTakenOnce(t *testing.T) {
	s := opened("a")
	if _, ok := s.failed(errBroken, start, time.Time{}); !ok || s.took(heard("a", 1, "one", 0)) == nil {
		t.Fatal("the session ends")
	}
	s.opened(&gatewayv1.OpenTranscriptionResponse{SessionId: "a"}, metadata.MD{}, start)
	if s.took(heard("a", 1, "one", 0)) != nil || s.took(heard("a", 2, "two", 0)) == nil {
		t.Errorf("%v", s.segments)
	}
}

func TestLaterBreakHasItsOwnTime(t *testing.T) {
	s, now := opened("a"), start
	first := &gatewayv1.OpenTranscriptionResponse{SessionId: "a"}
	for range 5 {
		now = now.Add(20 * time.Second)
		if _, ok := s.failed(errBroken, now, time.Time{}); !ok {
			t.Fatalf("the session ends after %v", now.Sub(start))
		}
		now = now.Add(time.Second)
		s.opened(first, metadata.MD{}, now)
	}
	// Streams that break at once are no reason to go on.
	attempts := 0
	for ok := true; ok; attempts++ {
		_, ok = s.failed(errBroken, now, time.Time{})
		now = now.Add(time.Second)
		s.opened(first, metadata.MD{}, now)
		if attempts > 100 {
			t.Fatal("the session goes on without an end")
		}
	}
	if attempts < 5 {
		t.Errorf("%d attempts", attempts)
	}
}

func TestFailuresThatNothingRecoversStartNoClock(t *testing.T) {
	s := opened("a")
	full := &Error{Code: codes.ResourceExhausted, Reason: gatewayv1.ErrorReason_ERROR_REASON_QUEUE_FULL, RetryAfter: time.Second}
	for _, failure := range []*Error{{Code: codes.DeadlineExceeded}, full} {
		if _, ok := s.failed(failure, start, time.Time{}); ok {
			t.Errorf("%v is recovered", failure)
		}
	}
	if _, ok := s.failed(errLost, start, start); ok || s.id != "a" {
		t.Error("the session is given up, but the caller has no time to open another")
	}
	if _, ok := s.failed(errBroken, start.Add(recoverWithin+time.Second), time.Time{}); !ok {
		t.Error("the session ends")
	}
}

func TestAudioOfFailedPushIsSentFirst(t *testing.T) {
	s := opened("a")
	large := append(bytes.Repeat([]byte("x"), maxPiece), "rest"...)
	// Calls for all of these may fail, and may have reached the server.
	if err := errors.Join(s.add([]byte("1"), false), s.add(large, false), s.add(nil, true), s.add(nil, true)); err != nil {
		t.Fatal(err)
	}
	if pushed := pushAll(s); !slices.Equal(pushed, []string{"a 0 1 false", "a 1 xxxxx false", "a 2 rest false", "a 3  true"}) {
		t.Errorf("pushed %q", pushed)
	}
	if err := s.add([]byte("2"), false); !errors.Is(err, ErrInvalidRequest) {
		t.Errorf("audio after the end: %v", err)
	}
}

func TestUnsentAudioIsBounded(t *testing.T) {
	s := opened("a")
	if err := s.add(make([]byte, keptBytes+1), false); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := s.add([]byte("1"), false); !errors.As(err, &e) || e.Code != codes.ResourceExhausted {
		t.Errorf("%v", err)
	}
	pushAll(s)
	if err := s.add([]byte("1"), false); err != nil || s.size > keptBytes {
		t.Errorf("%d bytes are kept: %v", s.size, err)
	}
}

func TestRetryHasDefaults(t *testing.T) {
	for _, r := range []Retry{{}, {Attempts: 3}, {MaxWait: 30 * time.Second}} {
		s := defaults()
		WithRetry(r)(&s)
		if s.retry != defaults().retry {
			t.Errorf("%+v is %+v", r, s.retry)
		}
		if _, again := s.retry.wait(context.Background(), errBroken, 1); !again {
			t.Errorf("%+v turns retries off", r)
		}
	}
}
