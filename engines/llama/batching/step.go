package batching

import (
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// fastBatch is the duration up to which a cancel lets a batch finish.
const fastBatch = 50 * time.Millisecond

// step computes one batch.
func (s *Scheduler) step() {
	s.tick++
	s.copyComputedPrefixes()
	var parts []part
	for {
		next := s.nextSequences()
		parts = plan(next, s.limit, s.pace.promptTokens(next, s.config.PromptTokens))
		s.drafted = s.addDrafts(parts)
		s.batch = inputs(parts, s.batch[:0])
		if s.makeRoom(len(s.batch)) {
			break
		}
	}
	if !s.beginBatch(parts) {
		return
	}
	start := s.config.Now()
	outcome, err := s.executor.Decode(s.batch)
	took := s.config.Now().Sub(start)
	s.endBatch()
	switch {
	case err != nil:
		s.fail(parts, errs.New(errs.Internal, "the model failed to compute a batch").WithCause(err))
	case outcome == Aborted:
		s.retried = s.retried[:0]
		for _, p := range parts {
			s.truncate(p.seq.slot, len(p.seq.slot.tokens))
			s.retried = append(s.retried, p.seq)
		}
	case outcome == NoRoom:
		s.shrink()
	default:
		s.retried = s.retried[:0]
		s.limit = s.config.BatchTokens
		if s.hasPrompt(parts) {
			s.pace.measured(len(s.batch), took)
		} else {
			s.tokenTook = took
			s.cost.measured(len(s.batch), took.Seconds())
		}
		s.config.Work(len(s.batch))
		s.commit(parts)
	}
}

// nextSequences returns the sequences for the next batch: all, or after an aborted
// batch those of it that are still active.
func (s *Scheduler) nextSequences() []*sequence {
	var next []*sequence
	for _, seq := range s.active {
		if slices.Contains(s.retried, seq) {
			next = append(next, seq)
		}
	}
	if len(next) == 0 {
		return s.active
	}
	return next
}

// beginBatch makes the batch visible to cancel. It returns false if a sequence of
// the batch is cancelled already.
func (s *Scheduler) beginBatch(parts []part) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range parts {
		if p.seq.cancelled != nil {
			return false
		}
	}
	if s.closing {
		return false
	}
	s.computing = parts
	s.slow = s.tokenTook > fastBatch || s.hasPrompt(parts)
	s.executor.ClearAbort()
	return true
}

// hasPrompt reports whether the batch has parts of prompts.
func (s *Scheduler) hasPrompt(parts []part) bool { return len(s.batch)-s.drafted > len(parts) }

func (s *Scheduler) endBatch() {
	s.mu.Lock()
	s.computing = nil
	s.mu.Unlock()
}

// commit records the tokens that are in the cache now, and chooses the next ones.
func (s *Scheduler) commit(parts []part) {
	for _, p := range parts {
		at := p.seq.slot
		pending := p.seq.pending()[:p.count]
		at.cells = s.pool.take(at.cells, p.count+len(p.draft))
		at.tokens = append(append(at.tokens, pending...), p.draft...)
		at.used = s.tick
	}
	for _, p := range parts {
		if p.output >= 0 {
			s.choose(p)
		}
	}
}

// next adds a token to a sequence, and ends the sequence if it was the last one.
func (s *Scheduler) next(seq *sequence, t Token, probs *Logprobs) {
	if t == NoToken {
		s.end(seq, Result{}, errs.New(errs.Internal, "the grammar of the answer allows no further token"))
		return
	}
	seq.tokens = append(seq.tokens, t)
	if s.vocab.IsEnd(t) {
		seq.out.put(seq.flush())
		s.end(seq, seq.result(gatewayv1.FinishReason_FINISH_REASON_STOP), nil)
		return
	}
	piece, stopped := seq.push(s.vocab.Piece(t), probs)
	seq.out.put(piece)
	switch {
	case stopped:
		s.end(seq, seq.result(gatewayv1.FinishReason_FINISH_REASON_STOP), nil)
	case len(seq.tokens) >= seq.limit:
		seq.out.put(seq.flush())
		s.end(seq, seq.result(gatewayv1.FinishReason_FINISH_REASON_LENGTH), nil)
	}
}

// fail ends every sequence of a batch that left the cache in an unknown state.
func (s *Scheduler) fail(parts []part, err error) {
	for _, p := range parts {
		at := p.seq.slot
		s.end(p.seq, p.seq.result(0), err)
		s.truncate(at, 0)
	}
}

// truncate drops a slot's tokens from a position on, or all of them if the model
// cannot keep a part.
func (s *Scheduler) truncate(at *slot, from int) {
	if !s.executor.Remove(at.id, from) {
		s.executor.Remove(at.id, 0)
		from = 0
	}
	s.pool.release(at.cells[from:])
	at.cells, at.tokens = at.cells[:from], at.tokens[:from]
}

// shrink handles a batch that the cache had no room for although the pool had: it
// drops cached conversations, then makes batches smaller, then ends the only
// sequence left.
func (s *Scheduler) shrink() {
	for s.evict() {
	}
	if s.limit = len(s.batch) / 2; s.limit > 0 {
		return
	}
	s.limit = s.config.BatchTokens
	if len(s.active) > 1 {
		s.preempt()
		return
	}
	seq := s.active[0]
	at := seq.slot
	s.end(seq, seq.result(0), errs.New(errs.MemoryBusy, "the model's context has no room for this request"))
	s.truncate(at, 0)
}
