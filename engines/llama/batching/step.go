package batching

import (
	"slices"
	"strconv"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func itoa(n int) string { return strconv.Itoa(n) }

// fastBatch is how long a batch may take that a cancel lets run to its end.
const fastBatch = 50 * time.Millisecond

// step computes one batch.
func (s *Scheduler) step() {
	s.tick++
	s.adoptPrefixes()
	var parts []part
	for {
		turn := s.turn()
		parts = plan(turn, s.limit, s.pace.promptTokens(turn, s.config.PromptTokens))
		s.batch = inputs(parts, s.batch[:0])
		if s.makeRoom(len(s.batch)) {
			break
		}
	}
	if !s.takeOff(parts) {
		return
	}
	start := s.config.Now()
	outcome, err := s.executor.Decode(s.batch)
	took := s.config.Now().Sub(start)
	s.land()
	switch {
	case err != nil:
		s.fail(parts, errs.New(errs.Internal, "the model failed to compute").WithCause(err))
	case outcome == Aborted:
		s.survivors = s.survivors[:0]
		for _, p := range parts {
			s.forget(p.seq.slot, len(p.seq.slot.tokens))
			s.survivors = append(s.survivors, p.seq)
		}
	case outcome == NoRoom:
		s.shrink()
	default:
		s.survivors = s.survivors[:0]
		s.limit = s.config.BatchTokens
		s.pace.measured(len(s.batch), took)
		if len(s.batch) == len(parts) {
			s.tokenTook = took
		}
		s.config.Work(len(s.batch))
		s.commit(parts)
	}
}

// turn returns the sequences that the next batch is for: all, or after an
// aborted batch those of it that are still at work.
func (s *Scheduler) turn() []*sequence {
	var turn []*sequence
	for _, seq := range s.active {
		if slices.Contains(s.survivors, seq) {
			turn = append(turn, seq)
		}
	}
	if len(turn) == 0 {
		return s.active
	}
	return turn
}

// takeOff announces the batch to cancellers. It returns false if one of the
// batch's sequences is cancelled already.
func (s *Scheduler) takeOff(parts []part) bool {
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
	s.flight = parts
	s.slow = s.tokenTook > fastBatch || len(s.batch) > len(parts)
	s.executor.ClearAbort()
	return true
}

func (s *Scheduler) land() {
	s.mu.Lock()
	s.flight = nil
	s.mu.Unlock()
}

// commit notes what is in the cache now and chooses the tokens that follow.
func (s *Scheduler) commit(parts []part) {
	for _, p := range parts {
		at := p.seq.slot
		pending := p.seq.pending()[:p.count]
		at.cells = s.ledger.take(at.cells, p.count)
		at.tokens = append(at.tokens, pending...)
		at.used = s.tick
	}
	for _, p := range parts {
		if p.output >= 0 {
			s.next(p.seq, p.seq.sampler.Sample(p.output))
		}
	}
}

// next adds a token to a sequence and ends it if that was the last.
func (s *Scheduler) next(seq *sequence, t Token) {
	if t == NoToken {
		s.end(seq, Result{}, errs.New(errs.Internal, "the grammar leaves the model no token to go on with"))
		return
	}
	seq.tokens = append(seq.tokens, t)
	if s.vocab.IsEnd(t) {
		seq.out.put(seq.text.Flush())
		s.end(seq, seq.result(gatewayv1.FinishReason_FINISH_REASON_STOP), nil)
		return
	}
	text, stopped := seq.text.Push(s.vocab.Piece(t))
	seq.out.put(text)
	switch {
	case stopped:
		s.end(seq, seq.result(gatewayv1.FinishReason_FINISH_REASON_STOP), nil)
	case len(seq.tokens) >= seq.limit:
		seq.out.put(seq.text.Flush())
		s.end(seq, seq.result(gatewayv1.FinishReason_FINISH_REASON_LENGTH), nil)
	}
}

// fail ends every sequence of a batch after which the cache cannot be trusted.
func (s *Scheduler) fail(parts []part, err error) {
	for _, p := range parts {
		at := p.seq.slot
		s.end(p.seq, p.seq.result(0), err)
		s.forget(at, 0)
	}
}

// forget drops a slot's tokens from a position on, or all if the model cannot
// keep a part.
func (s *Scheduler) forget(at *slot, from int) {
	if !s.executor.Remove(at.id, from) {
		s.executor.Remove(at.id, 0)
		from = 0
	}
	s.ledger.release(at.cells[from:])
	at.cells, at.tokens = at.cells[:from], at.tokens[:from]
}

// shrink follows a batch that the cache had no room for although the ledger
// says so: it gives up cached conversations, then tries smaller batches, then
// gives up the only sequence left.
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
	s.forget(at, 0)
}
