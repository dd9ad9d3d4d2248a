package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// This file has the events of a session: the session is the sink of its
// transcription, keeps the events, and sends them to the attached stream.

// Begin implements router.Sink.
func (s *session) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now() // waiting for the model is not silence of the caller
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
	return s.record(s.progress.stamp(event))
}

// Committed implements router.Sink.
func (s *session) Committed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events) > 0
}

// record appends an event. It drops an interim result before it, which the event
// replaces, so that a long session keeps only final results. The caller holds mu.
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

// eventSize returns about how much memory an event takes, in bytes.
func eventSize(event *gatewayv1.TranscriptionEvent) int {
	const overhead = 256 // of the messages around the text
	return overhead + proto.Size(event)
}

// end records how the transcription ended. Only the first call has an effect.
func (s *session) end(served *gatewayv1.ServedBy, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended, s.err = true, err
	s.ready, s.early = nil, nil
	s.free(s.waiting)
	if n := len(s.events); err == nil && n > 0 && s.events[n-1].GetEvent().GetFinal() != nil {
		s.events[n-1].ServedBy = served
	}
	s.touch()
}

// attach returns the number of a new stream, to which the events now go.
func (s *session) attach() (stream int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attached++
	s.detached = false
	s.touch()
	return s.attached
}

// detach says that a stream has ended. It reports whether the stream was the
// attached one.
func (s *session) detach(stream int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attached != stream {
		return false
	}
	s.detached = true
	s.touch()
	return true
}

// after returns the events after a sequence number. It leaves out the final event
// until the session has ended, because only then is known which model answered.
// The caller holds mu.
func (s *session) after(sequence int64) []*gatewayv1.OpenTranscriptionResponse {
	var events []*gatewayv1.OpenTranscriptionResponse
	for _, e := range s.events {
		if e.GetEventSequence() > sequence && (s.ended || e.GetEvent().GetFinal() == nil) {
			events = append(events, e)
		}
	}
	return events
}

// feed sends events to an attached stream until the session ends. delivered reports
// whether the caller got all of them.
func (s *session) feed(ctx context.Context, stream int, sequence int64, send func(*gatewayv1.OpenTranscriptionResponse) error) (delivered bool, err error) {
	if err := s.await(ctx, func() bool { return s.begun || s.ended || s.attached != stream }); err != nil {
		return false, err
	}
	greeted := false
	for {
		var events []*gatewayv1.OpenTranscriptionResponse
		var ended, displaced bool
		var failure error
		var next int64
		err := s.await(ctx, func() bool {
			events, ended, displaced, failure, next = s.after(sequence), s.ended, s.attached != stream, s.err, s.next
			return len(events) > 0 || ended || displaced || !greeted
		})
		switch {
		case err != nil:
			return false, err
		case displaced:
			return false, errs.New(errs.Cancelled, "another stream has taken over this session")
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
