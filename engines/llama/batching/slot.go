package batching

// slot is a sequence of the cache: what is in it, and who works on it.
type slot struct {
	id     int
	tokens []Token // computed, in order of position
	cells  []cell  // where each of them lies
	owner  *sequence
	used   uint64 // when it was last at work, for LRU
}

// cell is a place in the cache for one token's state. Sequences with a common
// prefix share its cells.
type cell int32

// ledger keeps account of the cache's cells, since the cache itself does not
// tell how full it is.
type ledger struct {
	references []int32
	free       []cell
}

func newLedger(n int) *ledger {
	l := &ledger{references: make([]int32, n), free: make([]cell, n)}
	for i := range l.free {
		l.free[i] = cell(n - 1 - i)
	}
	return l
}

// take appends n free cells to cells; there must be as many.
func (l *ledger) take(cells []cell, n int) []cell {
	taken := l.free[len(l.free)-n:]
	for _, c := range taken {
		l.references[c] = 1
	}
	cells = append(cells, taken...)
	l.free = l.free[:len(l.free)-n]
	return cells
}

// share appends cells that another sequence holds too.
func (l *ledger) share(cells, shared []cell) []cell {
	for _, c := range shared {
		l.references[c]++
	}
	return append(cells, shared...)
}

// release gives cells back; those that nobody else holds are free again.
func (l *ledger) release(cells []cell) {
	for _, c := range cells {
		if l.references[c]--; l.references[c] == 0 {
			l.free = append(l.free, c)
		}
	}
}

// commonPrefix returns how many tokens a and b begin with alike.
func commonPrefix(a, b []Token) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// choice is where a new sequence goes.
type choice struct {
	slot *slot
	// keep is how many tokens in the slot are of use.
	keep int
	// source, if not nil, is a slot to copy the positions [keep, copied) from.
	source *slot
	copied int
}

// choose picks a slot without an owner for a sequence of tokens, nil if there is
// none. It takes a conversation's own slot where most of what it holds goes on;
// otherwise the least recently used one, with the longest common prefix copied
// from wherever that is, so that a shared system prompt does not cost a
// conversation its cache. The last token is always computed anew, for its
// output.
func choose(slots []*slot, tokens []Token, keepsEveryPosition bool) (choice, bool) {
	useful := tokens[:len(tokens)-1]
	var idle, own, source *slot
	longest, ownLongest := 0, -1
	for _, s := range slots {
		n := commonPrefix(s.tokens, useful)
		if n > longest {
			longest, source = n, s
		}
		if s.owner != nil {
			continue
		}
		if idle == nil || older(s, idle) {
			idle = s
		}
		whole := n == len(s.tokens)
		if (whole || keepsEveryPosition && 4*n >= 3*len(s.tokens)) && n > max(ownLongest, 0) {
			own, ownLongest = s, n
		}
	}
	switch {
	case idle == nil:
		return choice{}, false
	case own != nil && (ownLongest == longest || !keepsEveryPosition):
		return choice{slot: own, keep: ownLongest}, true
	case !keepsEveryPosition || source == nil:
		return choice{slot: idle}, true
	}
	c := choice{slot: idle, keep: commonPrefix(idle.tokens, useful)}
	if own != nil {
		c = choice{slot: own, keep: ownLongest}
	}
	if c.slot != source && longest > c.keep {
		c.source, c.copied = source, longest
	}
	return c, true
}

// older tells which of two idle slots is the smaller loss: an empty one, else
// the one that was not used for longer.
func older(a, b *slot) bool {
	if (len(a.tokens) == 0) != (len(b.tokens) == 0) {
		return len(a.tokens) == 0
	}
	return a.used < b.used
}
