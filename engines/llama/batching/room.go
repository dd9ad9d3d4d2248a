package batching

import "slices"

// headroom is how many tokens each sequence at work should be able to grow by
// before a new one is let in.
const headroom = 32

// admit gives slots to waiting sequences, in order of arrival, while there is
// room for their prompts.
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

// fits tells whether a sequence's prompt and some growth of everybody have room,
// if all cached conversations gave theirs up.
func (s *Scheduler) fits(seq *sequence, c choice) bool {
	held := map[cell]bool{}
	waiting := 0
	for _, a := range s.active {
		for _, at := range a.slot.cells {
			held[at] = true
		}
		waiting += len(a.pending()) + headroom
	}
	// Cells of a prefix that an active sequence holds are counted already.
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

// place gives a sequence its slot, with what of the cache is of use there.
func (s *Scheduler) place(seq *sequence, c choice) {
	s.forget(c.slot, c.keep)
	c.slot.owner, c.slot.used = seq, s.tick
	seq.slot = c.slot
	if c.source != nil {
		s.copy(seq, c.source, c.copied)
	}
	if !seq.started {
		seq.started = true
		seq.cached = len(c.slot.tokens)
		for _, t := range seq.tokens[max(0, len(seq.tokens)-penaltyMemory):] {
			seq.sampler.Accept(t)
		}
	}
	s.active = append(s.active, seq)
}

// penaltyMemory is how many of the prompt's last tokens samplers are told of: as
// many as their penalties can look back.
const penaltyMemory = 256

// copy takes positions up to end from another slot.
func (s *Scheduler) copy(seq *sequence, source *slot, end int) {
	at := seq.slot
	from := len(at.tokens)
	s.executor.Copy(source.id, at.id, from, end)
	at.tokens = append(at.tokens, source.tokens[from:end]...)
	at.cells = s.ledger.share(at.cells, source.cells[from:end])
	source.used = s.tick
}

// adoptPrefixes lets sequences that still read their prompts take over what
// others have computed since.
func (s *Scheduler) adoptPrefixes() {
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
// batch lost its slot for that: the batch must be planned again.
func (s *Scheduler) makeRoom(n int) bool {
	for len(s.ledger.free) < n {
		if s.evict() {
			continue
		}
		s.preempt()
		return false
	}
	return true
}

// evict drops the cached conversation that was not used for longest. It returns
// false if there is none.
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
	s.forget(oldest, 0)
	return true
}

// preempt sends the sequence that came last back to the head of the queue; it
// computes its tokens again when there is room. The first to come is never sent
// back, and alone it always fits, so that everybody gets through.
func (s *Scheduler) preempt() {
	seq := s.active[len(s.active)-1]
	s.active = s.active[:len(s.active)-1]
	at := seq.slot
	at.owner, seq.slot = nil, nil
	s.forget(at, 0)
	s.mu.Lock()
	s.queue = slices.Insert(s.queue, 0, seq)
	s.mu.Unlock()
}
