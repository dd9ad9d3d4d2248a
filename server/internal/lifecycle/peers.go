package lifecycle

import (
	"cmp"
	"slices"
)

// Of the requests for a model that have the same priority, peers (package peers) get
// the leases in turn, however many requests each of them has; and a full queue
// refuses requests of the peer that has the most.

// held returns how many leases of the model each peer has; nil if the requests that
// wait for one have only one peer.
func (m *modelView) held() map[string]int {
	first := slices.IndexFunc(m.queue, func(w waiterView) bool { return w.kind == waitLease })
	several := slices.ContainsFunc(m.queue, func(w waiterView) bool { return w.kind == waitLease && w.peer != m.queue[first].peer })
	if !several {
		return nil
	}
	held := map[string]int{}
	if m.proc != nil {
		for _, l := range m.proc.leases {
			held[l.peer]++
		}
	}
	return held
}

// firstOfPeers returns the first of those that accept holds for: of each peer's first
// requests, the one whose turn it is among those of the highest priority.
func (m *modelView) firstOfPeers(held map[string]int, accept func(*waiterView) bool) *waiterView {
	heads := map[string]*waiterView{}
	for i := range m.queue {
		w := &m.queue[i]
		if best := heads[w.peer]; accept(w) && (best == nil || compareWaiters(w, best) < 0) {
			heads[w.peer] = w
		}
	}
	var first *waiterView
	for _, w := range heads {
		if first == nil || comparePeers(held, w, first) < 0 {
			first = w
		}
	}
	return first
}

// comparePeers orders the first requests of two peers.
func comparePeers(held map[string]int, a, b *waiterView) int {
	return cmp.Or(cmp.Compare(b.effective, a.effective), compareTurns(held, a, b), compareWaiters(a, b))
}

// compareTurns orders the requests of two peers: first comes the peer with the fewest
// leases, then the one whose last lease was granted first. A request that resumes its
// lease comes before others.
func compareTurns(held map[string]int, a, b *waiterView) int {
	switch {
	case a.kind == waitResume || b.kind == waitResume:
		return cmp.Compare(b.kind, a.kind)
	case a.peer == b.peer:
		return 0
	default:
		return cmp.Or(cmp.Compare(held[a.peer], held[b.peer]), cmp.Compare(a.served, b.served))
	}
}

// lastServed returns the number of the lease that a peer has got last: as far as it
// still has that or other requests for the model.
func (m *model) lastServed(peer string) uint64 {
	var last uint64
	for _, w := range m.queue {
		if w.peer == peer {
			last = max(last, w.served)
		}
	}
	if m.proc != nil {
		for l := range m.proc.leases {
			if l.peer == peer {
				last = max(last, l.number)
			}
		}
	}
	return last
}

// peerServed notes that a peer gets a lease, for its requests in the queue.
func (m *model) peerServed(peer string) {
	m.grants++
	for _, w := range m.queue {
		if w.kind == waitLease && w.peer == peer {
			w.served = m.grants
		}
	}
}

// peerServed is the same in a snapshot.
func (m *modelView) peerServed(peer string) {
	m.grants++
	for i := range m.queue {
		if w := &m.queue[i]; w.kind == waitLease && w.peer == peer {
			w.served = m.grants
		}
	}
}

// aheadOf counts the leases that are granted before the one to a request, if peers
// take turns.
func (m *modelView) aheadOf(self *waiterView, held map[string]int) int {
	own, before := 0, 0
	others := map[string]int{} // of the same priority
	for i := range m.queue {
		switch w := &m.queue[i]; {
		case w.peer == self.peer:
			if compareWaiters(w, self) < 0 {
				own++
			}
		case w.effective > self.effective:
			before++
		case w.effective == self.effective:
			others[w.peer]++
		}
	}
	for peer, waiting := range others {
		before += min(waiting, max(0, held[self.peer]+own-held[peer]))
	}
	return own + before
}

// mostWaiting returns the requests of the peer that has the most of them; of all
// peers that have as many.
func mostWaiting(queue []waiterView) []waiterView {
	waiting, most := map[string]int{}, 0
	for i := range queue {
		peer := queue[i].peer
		waiting[peer]++
		most = max(most, waiting[peer])
	}
	return slices.DeleteFunc(slices.Clone(queue), func(w waiterView) bool { return waiting[w.peer] < most })
}
