package inflight

import (
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// callerShare is how much of what is free one caller may hold, as a factor. A caller
// that is alone gets three quarters; the rest is for another one.
const callerShare = 3

// Shares is an amount that callers share (peers.Caller): bytes, or places. A caller
// may hold at most callerShare times what is left after it, so that none alone can use
// up all; but one is for everyone. The caller "" has no such bound.
type Shares struct {
	size int64

	mu   sync.Mutex
	used int64
	held map[string]int64 // by caller
}

// NewShares returns an amount of which nothing is used.
func NewShares(size int64) *Shares { return &Shares{size: size, held: map[string]int64{}} }

// Used returns how much all callers hold.
func (s *Shares) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// Take gives n to a caller, and reports whether there was as much for it.
func (s *Shares) Take(caller string, n int64) bool { return s.takeWithin(s.size, caller, n) }

// takeWithin is Take with another limit of what all callers hold.
func (s *Shares) takeWithin(limit int64, caller string, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.size - s.used - n
	if s.used+n > limit || caller != "" && s.held[caller]+n > max(1, callerShare*left) {
		return false
	}
	s.used += n
	s.held[caller] += n
	return true
}

// GiveBack takes n back from a caller.
func (s *Shares) GiveBack(caller string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if s.held[caller] -= n; s.held[caller] == 0 {
		delete(s.held, caller)
	}
}

// TooManyCalls is the error of a call for which there is no place.
func TooManyCalls() *errs.Error {
	return errs.New(errs.QueueFull, "too many calls are at work, or of this caller: wait for some to end, or raise limits.max_calls").
		WithRetryAfter(time.Second)
}
