package lifecycle

import (
	"container/list"
	"sync"
)

// inbox has the calls of the owner. Those of the server itself come first: they
// report what has happened, and free what callers have left. The callers whose
// requests call the owner take turns: one that calls often delays another by one
// call, not by all of its own.
type inbox struct {
	ready chan struct{} // tells the owner that there may be a call

	mu      sync.Mutex
	own     list.List
	callers map[string]*list.List
	turns   []string // of the keys of callers
}

// call is a call of the owner.
type call struct {
	run   func(*owner)
	reads bool          // it changes nothing
	taken chan struct{} // closed when the owner takes it

	in *list.List // where it waits
	at *list.Element
}

func newInbox() *inbox {
	return &inbox{ready: make(chan struct{}, 1), callers: map[string]*list.List{}}
}

// putOwn adds a call of the server.
func (b *inbox) putOwn(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(&b.own, c)
}

// putFor adds a call for a request of a caller.
func (b *inbox) putFor(caller string, c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	in, ok := b.callers[caller]
	if !ok {
		in = list.New()
		b.callers[caller] = in
		b.turns = append(b.turns, caller)
	}
	b.put(in, c)
}

// put adds a call. mu is held.
func (b *inbox) put(in *list.List, c *call) {
	c.taken, c.in = make(chan struct{}), in
	c.at = in.PushBack(c)
	b.wake()
}

func (b *inbox) wake() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// withdraw removes a call, and reports whether the owner had not taken it.
func (b *inbox) withdraw(c *call) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.in == nil {
		return false
	}
	c.in.Remove(c.at)
	c.in = nil
	return true
}

// next takes the next call; nil if there is none.
func (b *inbox) next() *call {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := take(&b.own)
	for c == nil && len(b.turns) > 0 {
		caller := b.turns[0]
		b.turns = b.turns[1:]
		if c = take(b.callers[caller]); c == nil {
			delete(b.callers, caller)
			continue
		}
		b.turns = append(b.turns, caller)
	}
	if c != nil {
		b.wake() // there may be more
	}
	return c
}

// take takes the first call of a list; nil if there is none.
func take(in *list.List) *call {
	first := in.Front()
	if first == nil {
		return nil
	}
	c := in.Remove(first).(*call)
	c.in = nil
	close(c.taken)
	return c
}
