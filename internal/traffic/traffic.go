// Package traffic makes the requests of a measurement, and counts what became of them.
// A load on real servers (test/scale) and one on simulated servers
// (server/internal/simulate) are the same requests, and are judged the same way.
package traffic

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Request is one request of a load.
type Request struct {
	// At is when it is made, since the beginning of the load.
	At time.Duration `json:"at"`
	// Conversation is what it belongs to; empty: to none. Turn is its number there, from 1.
	Conversation string `json:"conversation,omitempty"`
	Turn         int    `json:"turn,omitempty"`
	// Service is how long a server works for it.
	Service time.Duration `json:"service"`
}

// Shape is how requests come.
type Shape struct {
	// Rate is how many come each second, at random times. They do not wait for answers.
	Rate float64
	// Service is the mean time of work. The times are distributed exponentially, but at
	// most Longest times the mean; 0: without a limit.
	Service time.Duration
	Longest float64
	// Talk is the part of the requests that belong to conversations, 0 to 1. Each has Turns
	// requests, on average Gap apart.
	Talk  float64
	Turns int
	Gap   time.Duration
}

// Generate returns the requests of some time, in the order in which they are made. The
// same seed gives the same requests.
func Generate(seed uint64, s Shape, length time.Duration) []Request {
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // nothing secret
	var all []Request
	add := func(r Request) {
		r.Service = s.service(random)
		if r.At >= 0 && r.At < length {
			all = append(all, r)
		}
	}
	poisson := func(from time.Duration, rate float64, make func(time.Duration)) {
		if rate <= 0 {
			return
		}
		for at := from + exponential(random, seconds(1/rate)); at < length; at += exponential(random, seconds(1/rate)) {
			make(at)
		}
	}
	poisson(0, s.Rate*(1-s.Talk), func(at time.Duration) { add(Request{At: at}) })
	n := 0
	// Those that began before are in the middle.
	before := -2 * time.Duration(s.Turns) * s.Gap
	poisson(before, s.Rate*s.Talk/float64(max(1, s.Turns)), func(at time.Duration) {
		n++
		for turn := range s.Turns {
			add(Request{At: at, Conversation: fmt.Sprintf("conversation-%d", n), Turn: turn + 1})
			at += exponential(random, s.Gap)
		}
	})
	slices.SortStableFunc(all, func(a, b Request) int { return cmp.Compare(a.At, b.At) })
	return all
}

func (s Shape) service(random *rand.Rand) time.Duration {
	for {
		d := exponential(random, s.Service)
		if s.Longest == 0 || d <= time.Duration(s.Longest*float64(s.Service)) {
			return d
		}
	}
}

func exponential(random *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(random.ExpFloat64() * float64(mean))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
