package openai

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/transcripts"
)

const (
	// partBytes is the largest part of a turn: with its header it fits into a buffer of
	// gRPC that has 32 KiB.
	partBytes = 31 << 10
	// partOverhead is the memory of a part beside its audio.
	partOverhead = 256
)

// begin begins a turn. Its audio waits in the buffer until start.
func (s *realtime) begin() {
	ctx, cancel := context.WithCancel(s.ctx)
	s.buffer.turn = &turn{item: newID("item_"), config: s.session.config(), ctx: ctx, cancel: cancel}
}

// start begins the transcription of the turn, at once or after that of the turn before.
func (s *realtime) start() error {
	b := &s.buffer
	if b.turn.started {
		return nil
	}
	if err := s.turnStarted(); err != nil {
		return err
	}
	b.turn.started = true
	err := s.put(b.unspoken)
	s.forget()
	return err
}

func (s *realtime) turnStarted() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns == 0 {
		if err := s.socket.BeginWork(); err != nil {
			return err
		}
	}
	s.turns++
	return nil
}

// put adds a copy of audio to the turn: a part of an event would keep all of it in memory.
// It waits while too much waits already.
func (s *realtime) put(samples []byte) error {
	for piece := range slices.Chunk(samples, partBytes) {
		if err := s.putPart(turnPart{turn: s.buffer.turn, audio: slices.Clone(piece)}); err != nil {
			return err
		}
	}
	return nil
}

// end ends the turn.
func (s *realtime) end() error {
	part := turnPart{turn: s.buffer.turn, end: true}
	s.buffer.turn = nil
	return s.putPart(part)
}

func (s *realtime) putPart(part turnPart) error {
	err := s.parts.Put(s.ctx.Done(), part, int64(len(part.audio)+partOverhead))
	switch {
	case errors.Is(err, inflight.ErrHungUp):
		return errs.New(errs.Cancelled, "the client has closed the connection")
	case err != nil:
		return context.Cause(s.ctx)
	}
	return nil
}

// transcribeTurns transcribes one turn after the other until the session ends.
func (s *realtime) transcribeTurns() {
	for {
		part, err := s.parts.Next(s.ctx.Done())
		if err != nil {
			return
		}
		s.transcribeTurn(part)
		s.turnEnded()
	}
}

func (s *realtime) turnEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns--; s.turns == 0 {
		s.socket.EndWork()
	}
}

// transcribeTurn transcribes a turn, of which part is the first part, while it arrives.
func (s *realtime) transcribeTurn(part turnPart) {
	t := part.turn
	defer t.cancel()
	stream, err := s.h.client.StreamTranscribe(t.ctx)
	if err != nil {
		s.tellFailure(t, err)
		s.eachPart(part, func([]byte) {})
		return
	}
	var teller sync.WaitGroup
	defer teller.Wait()
	teller.Go(func() { s.tell(t, stream) })
	// Errors of the call show when it is received from.
	_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: t.config}})
	s.eachPart(part, func(audio []byte) {
		_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: audio}})
	})
	_ = stream.CloseSend()
}

// eachPart calls do with the audio of a turn, of which part is the first part, until the
// turn or the session ends.
func (s *realtime) eachPart(part turnPart, do func(audio []byte)) {
	for err := error(nil); err == nil && !part.end; part, err = s.parts.Next(s.ctx.Done()) {
		do(part.audio)
	}
}

// tell sends the events of a transcription to the client, and its failure. It returns
// early if the socket ends.
func (s *realtime) tell(t *turn, stream gatewayv1.ModelGatewayService_StreamTranscribeClient) {
	var told deltas
	for {
		event, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			s.tellFailure(t, err)
			return
		}
		if text := told.add(event.GetEvent()); text != "" {
			if s.sendTranscription(t, "delta", map[string]any{"delta": text}) != nil {
				return
			}
		}
		if final := event.GetEvent().GetFinal(); final != nil {
			if s.sendTranscription(t, "completed", map[string]any{"transcript": final.GetText(), "logprobs": nil, "usage": transcripts.UsageOf(final)}) != nil {
				return
			}
		}
	}
}

// tellFailure sends the error of a transcription, unless the client has cleared its turn.
func (s *realtime) tellFailure(t *turn, err error) {
	if t.ctx.Err() == nil {
		_ = s.sendTranscription(t, "failed", map[string]any{"error": reply.OpenAIBodyOf(err).Error}) // fails only if the socket ends
	}
}

func (s *realtime) sendTranscription(t *turn, what string, fields map[string]any) error {
	fields["item_id"], fields["content_index"] = t.item, 0
	return s.send("conversation.item.input_audio_transcription."+what, fields)
}
