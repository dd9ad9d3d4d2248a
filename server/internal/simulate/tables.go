package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/cespare/xxhash/v2"
)

// hashOf is the hash of Envoy's policies.
func hashOf(text string) uint64 { return xxhash.Sum64String(text) }

// table says which replica has a conversation.
type table interface {
	// at returns the replica of a hash, or another one for another try.
	at(hash uint64, try int) int
}

// tables makes tables as Envoy does. Proxies that use the same replicas share one.
type tables struct {
	policy policy
	names  []string
	ring   []point
	made   map[string]table
}

// point is a place on the ring.
type point struct {
	hash    uint64
	replica int
}

func newTables(p policy, replicas []*replica) tables {
	t := tables{policy: p, made: map[string]table{}}
	for _, r := range replicas {
		t.names = append(t.names, r.name)
	}
	if !p.maglev {
		each := (p.size + len(replicas) - 1) / len(replicas)
		for i, name := range t.names {
			for j := range each {
				t.ring = append(t.ring, point{hashOf(fmt.Sprintf("%s_%d", name, j)), i})
			}
		}
		slices.SortFunc(t.ring, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
	}
	return t
}

// of returns the table of some replicas.
func (t *tables) of(usable []int) table {
	key := fmt.Sprint(usable)
	if t.made[key] == nil {
		if len(t.made) > 100 {
			clear(t.made)
		}
		t.made[key] = t.make(usable)
	}
	return t.made[key]
}

func (t *tables) make(usable []int) table {
	if t.policy.maglev {
		return maglevOf(t.names, usable, t.policy.size)
	}
	if len(usable) == len(t.names) {
		return ring(t.ring)
	}
	in := make([]bool, len(t.names))
	for _, i := range usable {
		in[i] = true
	}
	var some ring
	for _, p := range t.ring {
		if in[p.replica] {
			some = append(some, p)
		}
	}
	return some
}

// ring is Envoy's ring hash.
type ring []point

func (r ring) at(hash uint64, try int) int {
	i := sort.Search(len(r), func(i int) bool { return r[i].hash >= hash })
	return r[(i+try)%len(r)].replica
}

// maglev is Maglev's table; its size is a prime number.
type maglev []int

func maglevOf(names []string, usable []int, size int) maglev {
	m := make(maglev, size)
	for i := range m {
		m[i] = -1
	}
	type walk struct{ at, step uint64 }
	walks, n := make([]walk, len(usable)), uint64(size)
	for i, u := range usable {
		other := xxhash.NewWithSeed(1)
		_, _ = other.WriteString(names[u])
		walks[i] = walk{hashOf(names[u]) % n, other.Sum64()%(n-1) + 1}
	}
	for filled := 0; ; {
		for i, u := range usable {
			w := &walks[i]
			for m[w.at] >= 0 {
				w.at = (w.at + w.step) % n
			}
			m[w.at] = u
			if filled++; filled == size {
				return m
			}
		}
	}
}

func (m maglev) at(hash uint64, try int) int {
	if try > 0 {
		hash ^= ^uint64(0) - uint64(try) + 1
	}
	return m[hash%uint64(len(m))]
}

// bounded returns the replica of a conversation or, if it has too much work, the first of
// the others that has not, in an order of the conversation's own; if all have, the one
// with the least work.
func (p *proxy) bounded(hash uint64, try int, cl *cluster) int {
	first := p.table.at(hash, try)
	bound := p.fleet.policy.bound
	if bound == 0 {
		return first
	}
	all := ((cl.total+1)*bound + 99) / 100
	slots := max(1, (all+len(p.usable)-1)/len(p.usable))
	if cl.active[first] <= slots {
		return first
	}
	best, order := first, slices.Clone(p.usable)
	random := rand.New(rand.NewPCG(hash, 0)) //nolint:gosec // nothing secret
	for i := range order {
		j := i + random.IntN(len(order)-i)
		order[i], order[j] = order[j], order[i]
		if other := order[i]; cl.active[other] <= slots {
			return other
		} else if cl.active[other] < cl.active[best] {
			best = other
		}
	}
	return best
}
