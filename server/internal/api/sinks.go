package api

import (
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// singleAnswer is the sink of a task with one answer. Nothing reaches the caller
// before the end, so any candidate may still take over.
type singleAnswer[T any] struct {
	// pick takes the answer out of a message; false if it is another task's.
	pick   func(*enginev1.RunResponse) (T, bool)
	answer T
	got    bool
}

func (s *singleAnswer[T]) Begin() {
	var zero T
	s.answer, s.got = zero, false
}

func (s *singleAnswer[T]) Emit(resp *enginev1.RunResponse) error {
	answer, ok := s.pick(resp)
	if !ok {
		return wrongAnswer()
	}
	s.answer, s.got = answer, true
	return nil
}

func (s *singleAnswer[T]) Committed() bool { return false }

// result returns the answer of a request that ended well.
func (s *singleAnswer[T]) result() (T, error) {
	if !s.got {
		return s.answer, errs.New(errs.Internal, "the engine ended without an answer")
	}
	return s.answer, nil
}

// wrongAnswer is for engines that break their contract.
func wrongAnswer() error {
	return errs.New(errs.Internal, "the engine answered another task than the one that it was asked")
}

const (
	// maxText bounds the text, and maxEvents what a session keeps, of one answer,
	// in bytes: both are held here as a whole.
	maxText   = 4 << 20
	maxEvents = 4 << 20
	// maxSpeech bounds speech that is answered at once: what fits a message.
	maxSpeech = 65 << 20
)

// tooMuch is for engines that do not stop.
func tooLong(limit int) error {
	return errs.New(errs.Internal, "the engine answered more than %d MiB", limit>>20)
}

// streamRelay is the sink of a streamed task: messages go out as they come. The
// last one, which tells who served, is held back until the lease is returned.
type streamRelay[T any] struct {
	// pick takes a piece out of a message; last marks the final one.
	pick func(*enginev1.RunResponse) (piece T, last, ok bool)
	// send hands a piece to the caller.
	send func(T) error

	held    T
	holding bool
	sent    bool
}

func (s *streamRelay[T]) Begin() { s.holding = false }

func (s *streamRelay[T]) Emit(resp *enginev1.RunResponse) error {
	piece, last, ok := s.pick(resp)
	if !ok {
		return wrongAnswer()
	}
	if s.holding { // there is more after what looked like the last
		if err := s.out(s.held); err != nil {
			return err
		}
	}
	s.holding = last
	if last {
		s.held = piece
		return nil
	}
	return s.out(piece)
}

func (s *streamRelay[T]) out(piece T) error {
	s.sent = true
	return s.send(piece)
}

func (s *streamRelay[T]) Committed() bool { return s.sent }

// finish sends the last message; sign writes into it who served.
func (s *streamRelay[T]) finish(empty T, sign func(T)) error {
	last := empty
	if s.holding {
		last = s.held
	}
	sign(last)
	return s.send(last)
}

// chatCollector is the sink of an unary Chat: it puts the pieces together.
type chatCollector struct {
	text   []byte
	finish gatewayv1.FinishReason
	usage  *gatewayv1.Usage
}

func (c *chatCollector) Begin() { *c = chatCollector{} }

func (c *chatCollector) Emit(resp *enginev1.RunResponse) error {
	p, ok := resp.GetPayload().(*enginev1.RunResponse_Chat)
	if !ok {
		return wrongAnswer()
	}
	if len(c.text)+len(p.Chat.GetDelta()) > maxText {
		return tooLong(maxText)
	}
	c.text = append(c.text, p.Chat.GetDelta()...)
	if f := p.Chat.GetFinishReason(); f != gatewayv1.FinishReason_FINISH_REASON_UNSPECIFIED {
		c.finish = f
	}
	if u := p.Chat.GetUsage(); u != nil {
		c.usage = u
	}
	return nil
}

func (c *chatCollector) Committed() bool { return false }

// response puts the whole answer together.
func (c *chatCollector) response(served *gatewayv1.ServedBy) *gatewayv1.ChatResponse {
	return &gatewayv1.ChatResponse{
		Message:      &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT, Content: string(c.text)},
		FinishReason: c.finish,
		Usage:        c.usage,
		ServedBy:     served,
	}
}

// transcriptCollector is the sink of a transcription of which only the end matters.
type transcriptCollector struct{ final *gatewayv1.Transcript }

func (f *transcriptCollector) Begin() { f.final = nil }

func (f *transcriptCollector) Emit(resp *enginev1.RunResponse) error {
	event := resp.GetTranscribe()
	if event == nil {
		return wrongAnswer()
	}
	if final := event.GetFinal(); final != nil {
		f.final = final
	}
	return nil
}

func (f *transcriptCollector) Committed() bool { return false }

// speechCollector is the sink of speech that is sent in one message.
type speechCollector struct {
	samples    []byte
	sampleRate int32
}

func (c *speechCollector) Begin() { *c = speechCollector{} }

func (c *speechCollector) Emit(resp *enginev1.RunResponse) error {
	piece := resp.GetSynthesize()
	if piece == nil {
		return wrongAnswer()
	}
	if len(c.samples)+len(piece.GetAudio()) > maxSpeech {
		return tooLong(maxSpeech)
	}
	c.samples = append(c.samples, piece.GetAudio()...)
	if c.sampleRate == 0 {
		c.sampleRate = piece.GetSampleRateHertz()
	}
	return nil
}

func (c *speechCollector) Committed() bool { return false }
