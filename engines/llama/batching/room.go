package batching

import "slices"

// headroom is the number of tokens by which each active sequence must be able to
// grow before another one is admitted.
const headroom = 32

// admit gives slots to queued sequences, in order of arrival, while there is room
// for their prompts.
func (s *Scheduler) admit() {
	for len(s.active) < s.config.Parallel {
		s.mu.Lock()
		var seq *sequence
		if len(s.queue) > 0 {
			seq = s.queue[0]
		}
		s.mu.Unlock()
		if seq == nil {
			return
		}
		c, ok := choose(s.slots, seq.tokens, s.config.KeepsEveryPosition)
		if !ok || len(s.active) > 0 && !s.fits(seq, c) {
			return
		}
		s.mu.Lock()
		s.queue = slices.DeleteFunc(s.queue, func(q *sequence) bool { return q == seq })
		s.mu.Unlock()
		s.place(seq, c)
	}
}

// fits reports whether the context has room for a sequence's prompt and for some
// growth of all active sequences, if every cached conversation is dropped.
func (s *Scheduler) fits(seq *sequence, c choice) bool {
	held := map[cell]bool{}
	waiting := 0
	for _, a := range s.active {
		for _, at := range a.slot.cells {
			held[at] = true
		}
		waiting += len(a.pending()) + headroom
	}
	// Cells of a prefix that an active sequence has are counted already.
	mine := 0
	for i := range len(seq.tokens) {
		var from *slot
		switch {
		case i < c.keep:
			from = c.slot
		case i < c.copied:
			from = c.source
		}
		if from == nil || !held[from.cells[i]] {
			mine++
		}
	}
	return len(held)+waiting+mine+headroom <= s.config.ContextTokens
}

// place gives a sequence its slot and the cached tokens that it shares.
func (s *Scheduler) place(seq *sequence, c choice) {
	s.truncate(c.slot, c.keep)
	c.slot.owner, c.slot.used = seq, s.tick
	seq.slot = c.slot
	if c.source != nil {
		s.copy(seq, c.source, c.copied)
	}
	if !seq.started {
		seq.started = true
		seq.odds = s.odds
		seq.cached = len(c.slot.tokens)
		for _, t := range seq.tokens[max(0, len(seq.tokens)-maxPenaltyWindow):] {
			seq.sampler.Accept(t)
		}
	}
	s.active = append(s.active, seq)
}

// maxPenaltyWindow is the number of the prompt's last tokens that samplers get. No
// penalty counts more.
const maxPenaltyWindow = 256

// copy copies the positions up to end from another slot.
func (s *Scheduler) copy(seq *sequence, source *slot, end int) {
	at := seq.slot
	from := len(at.tokens)
	s.executor.Copy(source.id, at.id, from, end)
	at.tokens = append(at.tokens, source.tokens[from:end]...)
	at.cells = s.pool.share(at.cells, source.cells[from:end])
	source.used = s.tick
}

// copyComputedPrefixes gives sequences whose prompts are not computed yet the
// prefixes that other sequences have computed in the meantime.
func (s *Scheduler) copyComputedPrefixes() {
	for _, seq := range s.active {
		if !seq.copies || len(seq.pending()) == 1 {
			continue
		}
		var source *slot
		longest := len(seq.slot.tokens)
		for _, other := range s.slots {
			if n := commonPrefix(other.tokens, seq.tokens[:len(seq.tokens)-1]); n > longest {
				longest, source = n, other
			}
		}
		if source == nil {
			continue
		}
		if seq.generated() == 0 {
			seq.cached += longest - len(seq.slot.tokens)
		}
		s.copy(seq, source, longest)
	}
}

// makeRoom frees cells until n are free. It returns false if a sequence of the
// batch lost its slot; the batch must then be planned again.
func (s *Scheduler) makeRoom(n int) bool {
	for len(s.pool.free) < n {
		if s.evict() {
			continue
		}
		s.preempt()
		return false
	}
	return true
}

// evict drops the least recently used cached conversation. It returns false if
// there is none.
func (s *Scheduler) evict() bool {
	var oldest *slot
	for _, at := range s.slots {
		if at.owner == nil && len(at.tokens) > 0 && (oldest == nil || at.used < oldest.used) {
			oldest = at
		}
	}
	if oldest == nil {
		return false
	}
	s.truncate(oldest, 0)
	return true
}

// preempt moves the sequence that arrived last back to the head of the queue; its
// tokens are computed again when there is room. The sequence that arrived first is
// never moved back, and alone it always fits, so every sequence finishes.
func (s *Scheduler) preempt() {
	seq := s.active[len(s.active)-1]
	s.active = s.active[:len(s.active)-1]
	at := seq.slot
	at.owner, seq.slot = nil, nil
	s.truncate(at, 0)
	s.mu.Lock()
	s.queue = slices.Insert(s.queue, 0, seq)
	s.mu.Unlock()
}
