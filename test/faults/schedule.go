package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// phase is what the model does when a fault comes.
type phase string

const (
	loading   phase = "loading"
	idle      phase = "idle"
	midStream phase = "mid-stream"
	evicting  phase = "evicting"
	draining  phase = "draining"
)

var phases = []phase{loading, idle, midStream, evicting, draining}

// planned is a fault that is to come.
type planned struct {
	number int
	kind   *kind
	phase  phase
	seed   uint64 // of everything that is random about it
}

// String implements fmt.Stringer.
func (p planned) String() string {
	return fmt.Sprintf("fault %d: %s, %s", p.number, p.kind.name, p.phase)
}

// schedule returns n faults. Each kind comes in each of its phases before any comes
// there again. The same seed gives the same schedule.
func schedule(seed uint64, n int, kinds []*kind) []planned {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // nothing secret
	var all []planned
	for len(all) < n {
		var round []planned
		for _, k := range kinds {
			for _, ph := range phases {
				if k.in(ph) {
					round = append(round, planned{kind: k, phase: ph, seed: random.Uint64()})
				}
			}
		}
		if len(round) == 0 {
			return nil
		}
		random.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		all = append(all, round...)
	}
	all = all[:n]
	for i := range all {
		all[i].number = i + 1
	}
	return all
}

// countTable returns a table of how many faults of each kind came in each phase.
func countTable(done []planned) string {
	counts := map[*kind]map[phase]int{}
	var order []*kind
	for _, p := range done {
		if counts[p.kind] == nil {
			counts[p.kind] = map[phase]int{}
			order = append(order, p.kind)
		}
		counts[p.kind][p.phase]++
	}
	var b strings.Builder
	row := func(name string, cell func(phase) string) {
		fmt.Fprintf(&b, "%-20s", name)
		for _, ph := range phases {
			fmt.Fprintf(&b, "%12s", cell(ph))
		}
		b.WriteByte('\n')
	}
	row("faults", func(ph phase) string { return string(ph) })
	for _, k := range kindsInOrder(order) {
		row(k.name, func(ph phase) string {
			if !k.in(ph) {
				return "–"
			}
			return fmt.Sprint(counts[k][ph])
		})
	}
	return b.String()
}
