package inflight

import (
	"sync"
	"time"
)

const (
	// burst is how many seconds of its rate a peer may use at once.
	burst = 2
	// maxDebt is how many seconds of its rate a peer may be behind.
	maxDebt = 10
)

// Rates counts events of peers against a rate that each peer has, whatever the
// number of its connections.
type Rates struct {
	rate float64 // events a second
	now  func() time.Time

	mu    sync.Mutex
	peers map[string]*bucket // without those that have their whole burst
	sweep int                // the size of peers at which to remove those that have
}

// bucket is what a peer has left; less than 0 is its debt.
type bucket struct {
	level float64
	last  time.Time
}

// NewRates returns a count of no events. rate is in events a second.
func NewRates(rate int) *Rates {
	return &Rates{rate: float64(rate), now: time.Now, peers: map[string]*bucket{}, sweep: 1}
}

// Count counts n events of a peer.
func (r *Rates) Count(peer string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	b := r.peers[peer]
	if b == nil {
		r.removeFull(now)
		b = &bucket{level: burst * r.rate, last: now}
		r.peers[peer] = b
	}
	r.fill(b, now)
	b.level = max(b.level-float64(n), -maxDebt*r.rate)
}

// Wait returns how long until a peer keeps its rate; 0 if it does.
func (r *Rates) Wait(peer string) time.Duration { return r.take(peer, 0) }

// take counts n events of a peer that keeps its rate. Otherwise it returns how long
// until the peer does.
func (r *Rates) take(peer string, n float64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.peers[peer]
	if b == nil {
		return 0 // it has its whole burst
	}
	r.fill(b, r.now())
	if b.level >= 0 {
		b.level -= n
		return 0
	}
	return max(1, time.Duration(-b.level/r.rate*float64(time.Second)))
}

func (r *Rates) fill(b *bucket, now time.Time) {
	b.level = min(burst*r.rate, b.level+now.Sub(b.last).Seconds()*r.rate)
	b.last = now
}

// removeFull removes the peers that have their whole burst, when there may be as
// many of them as others. mu is held.
func (r *Rates) removeFull(now time.Time) {
	if len(r.peers) < r.sweep {
		return
	}
	for peer, b := range r.peers {
		if r.fill(b, now); b.level >= burst*r.rate {
			delete(r.peers, peer)
		}
	}
	r.sweep = 2*len(r.peers) + 1
}

// Throttle holds a connection of a peer back while the peer exceeds its rate: one
// that was opened in that time, or on which such an event was counted. Other
// connections of the peer, such as those of other programs at the same address,
// go on.
type Throttle struct {
	rates *Rates
	peer  string

	mu   sync.Mutex
	slow bool
}

// Throttle returns the throttle of a new connection.
func (r *Rates) Throttle(peer string) *Throttle {
	return &Throttle{rates: r, peer: peer, slow: r.Wait(peer) > 0}
}

// Count counts n events on the connection.
func (t *Throttle) Count(n int) {
	if n == 0 {
		return
	}
	t.rates.Count(t.peer, n)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slow = true
}

// Wait returns how long the connection must wait; 0 if it need not.
func (t *Throttle) Wait() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.slow {
		return 0
	}
	wait := t.rates.Wait(t.peer)
	t.slow = wait > 0
	return wait
}

// readShare is the part of a second's rate that a read of a connection counts which
// had to wait.
const readShare = 50

// HoldRead is Hold before a read whose calls are counted only later. A read that had
// to wait counts too, so that not all connections of the peer go on at once.
func (t *Throttle) HoldRead(closed <-chan struct{}) {
	for wait := t.Wait(); wait > 0; wait = t.rates.take(t.peer, max(1, t.rates.rate/readShare)) {
		if !sleep(wait, closed) {
			return
		}
	}
}

// Hold waits as long as the connection must wait, or until closed is.
func (t *Throttle) Hold(closed <-chan struct{}) {
	if wait := t.Wait(); wait > 0 {
		sleep(wait, closed)
	}
}

// sleep reports whether the time has passed before closed was.
func sleep(d time.Duration, closed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-closed:
		return false
	}
}
