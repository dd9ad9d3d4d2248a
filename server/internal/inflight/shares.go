package inflight

import (
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// peerShare is how much of what is free one peer may hold, as a factor. A peer
// that is alone gets three quarters; the rest is for another one.
const peerShare = 3

// Shares is an amount that peers (package peers) share: bytes, or places. A peer may hold at most
// peerShare times what is left after it, so that no peer alone can use up all.
// The peer "" has no such bound.
type Shares struct {
	size int64

	mu   sync.Mutex
	used int64
	held map[string]int64 // by peer
}

// NewShares returns an amount of which nothing is used.
func NewShares(size int64) *Shares { return &Shares{size: size, held: map[string]int64{}} }

// Used returns how much all peers hold.
func (s *Shares) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// Take gives n to a peer, and reports whether there was as much for it.
func (s *Shares) Take(peer string, n int64) bool { return s.takeWithin(s.size, peer, n) }

// takeWithin is Take with another limit of what all peers hold.
func (s *Shares) takeWithin(limit int64, peer string, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.size - s.used - n
	if s.used+n > limit || peer != "" && s.held[peer]+n > peerShare*left {
		return false
	}
	s.used += n
	s.held[peer] += n
	return true
}

// GiveBack takes n back from a peer.
func (s *Shares) GiveBack(peer string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if s.held[peer] -= n; s.held[peer] == 0 {
		delete(s.held, peer)
	}
}

// TooManyCalls is the error of a call for which there is no place.
func TooManyCalls() *errs.Error {
	return errs.New(errs.QueueFull, "too many calls are at work, or from this address: wait for some to end, or raise limits.max_calls").
		WithRetryAfter(time.Second)
}
