package batching

// slot is a sequence of the cache.
type slot struct {
	id     int
	tokens []Token   // computed, in order of position
	cells  []cell    // of each token
	owner  *sequence // that uses it now; nil if it only keeps a conversation
	used   uint64    // tick of its last use
}

// cell is the space for one token's state in the cache. Sequences with a common
// prefix share its cells.
type cell int32

// cellPool counts the cache's cells, because the cache does not report how full it
// is.
type cellPool struct {
	references []int32
	free       []cell
}

func newCellPool(n int) *cellPool {
	l := &cellPool{references: make([]int32, n), free: make([]cell, n)}
	for i := range l.free {
		l.free[i] = cell(n - 1 - i)
	}
	return l
}

// take appends n free cells to cells. At least n must be free.
func (l *cellPool) take(cells []cell, n int) []cell {
	taken := l.free[len(l.free)-n:]
	for _, c := range taken {
		l.references[c] = 1
	}
	cells = append(cells, taken...)
	l.free = l.free[:len(l.free)-n]
	return cells
}

// share appends cells that another sequence has too.
func (l *cellPool) share(cells, shared []cell) []cell {
	for _, c := range shared {
		l.references[c]++
	}
	return append(cells, shared...)
}

// release gives cells back. Those that no other sequence has become free.
func (l *cellPool) release(cells []cell) {
	for _, c := range cells {
		if l.references[c]--; l.references[c] == 0 {
			l.free = append(l.free, c)
		}
	}
}

// commonPrefix returns the length of the longest common prefix of a and b.
func commonPrefix(a, b []Token) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// choice is the slot for a new sequence.
type choice struct {
	slot *slot
	// keep is the number of tokens in the slot that the sequence can use.
	keep int
	// source, if not nil, is a slot to copy the positions [keep, copied) from.
	source *slot
	copied int
}

// choose returns a slot without an owner for a sequence of tokens; false if there
// is none. It prefers the slot of the same conversation, if most of the slot's
// tokens can be used. Otherwise it takes the least recently used slot and copies
// the longest common prefix from the slot that has it, so that a shared system
// prompt does not evict another conversation. The last token is always computed
// again, because its output is needed.
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
		if idle == nil || cheaper(s, idle) {
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

// cheaper reports whether dropping the idle slot a costs less than dropping b: an
// empty slot costs nothing, else the less recently used one costs less.
func cheaper(a, b *slot) bool {
	if (len(a.tokens) == 0) != (len(b.tokens) == 0) {
		return len(a.tokens) == 0
	}
	return a.used < b.used
}
