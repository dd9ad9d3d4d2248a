package api

import (
	"cmp"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// singleAnswer is the sink of a task with one answer. Nothing reaches the caller
// before the end, so another model can take over at any time.
type singleAnswer[T any] struct {
	// get returns the answer in a message, or nil if the message answers another
	// task.
	get    func(*enginev1.RunResponse) *T
	answer *T
}

func (s *singleAnswer[T]) Begin() { s.answer = nil }

func (s *singleAnswer[T]) Emit(resp *enginev1.RunResponse) error {
	answer := s.get(resp)
	if answer == nil {
		return wrongAnswer()
	}
	s.answer = answer
	return nil
}

func (s *singleAnswer[T]) Committed() bool { return false }

// result returns the answer of a request that succeeded.
func (s *singleAnswer[T]) result() (*T, error) {
	if s.answer == nil {
		return nil, errs.New(errs.Internal, "the engine ended without an answer")
	}
	return s.answer, nil
}

// wrongAnswer is the error of an engine that breaks its contract.
func wrongAnswer() error {
	return errs.New(errs.Internal, "the engine answered another task than the one that it was sent")
}

const (
	// maxText is the size limit of the text of one answer, and maxEvents that of the
	// events that a session keeps, in bytes. The server holds both in memory.
	maxText   = 4 << 20
	maxEvents = 4 << 20
	// maxSpeech is the size limit of speech in one message, in bytes.
	maxSpeech = 65 << 20
)

// tooLong is the error of an engine that does not stop.
func tooLong(limit int) error {
	return errs.New(errs.Internal, "the engine sent an answer of more than %d MiB", limit>>20)
}

// streamRelay is the sink of a streamed task: it sends messages to the caller as they
// come. It holds the last one back until the lease is released, because that one
// says which model answered.
type streamRelay[T any] struct {
	// pick returns the piece in a message, and whether it is the last.
	pick func(*enginev1.RunResponse) (piece T, last, ok bool)
	// send sends a piece to the caller.
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
	if s.holding { // it was not the last after all
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

// finish sends the last message, or empty if the engine marked none. setServedBy sets
// the model that answered.
func (s *streamRelay[T]) finish(empty T, setServedBy func(T)) error {
	last := empty
	if s.holding {
		last = s.held
	}
	setServedBy(last)
	return s.send(last)
}

// transcriptCollector is the sink of a transcription that returns only the final
// transcript.
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
	pieces []*gatewayv1.SynthesizeResponse
	size   int // of their samples, in bytes
}

func (c *speechCollector) Begin() { *c = speechCollector{} }

func (c *speechCollector) Emit(resp *enginev1.RunResponse) error {
	piece := resp.GetSynthesize()
	if piece == nil {
		return wrongAnswer()
	}
	if c.size += len(piece.GetAudio()); c.size > maxSpeech {
		return tooLong(maxSpeech)
	}
	c.pieces = append(c.pieces, piece)
	return nil
}

func (c *speechCollector) Committed() bool { return false }

// whole returns all of the speech as one message. The samples of the pieces become
// parts of it, so that they are in memory once.
func (c *speechCollector) whole() *gatewayv1.SynthesizeResponse {
	all := &gatewayv1.SynthesizeResponse{Audio: make([]byte, 0, c.size)}
	for _, piece := range c.pieces {
		at := len(all.GetAudio())
		all.Audio = append(all.Audio, piece.GetAudio()...)
		piece.Audio = all.Audio[at:len(all.Audio):len(all.Audio)]
		all.Words = append(all.Words, piece.GetWords()...)
		all.SampleRateHertz = cmp.Or(all.GetSampleRateHertz(), piece.GetSampleRateHertz())
	}
	return all
}
