package lifecycle

import (
	"slices"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func names(rs []resident) []string {
	out := []string{}
	for _, r := range rs {
		out = append(out, r.name)
	}
	return out
}

func TestPlanEviction(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	tests := map[string]struct {
		demand    demand
		residents []resident
		outcome   outcome
		victims   []string
	}{
		"fits into free memory": {
			demand{need: 40, priority: low}, []resident{{name: "a", charged: 60, priority: low}}, outcomeFits, nil,
		},
		"above the budget: nothing is evicted": {
			demand{need: 101, priority: critical}, []resident{{name: "a", charged: 60, priority: low}}, outcomeNever, nil,
		},
		"past its idle timeout: first, whatever its priority": {
			demand{need: 50, priority: low},
			[]resident{{name: "a", charged: 50, priority: low}, {name: "b", charged: 50, priority: critical, pastIdle: true}},
			outcomeFitsAfter, []string{"b"},
		},
		"lower priority: first": {
			demand{need: 50, priority: high},
			[]resident{{name: "a", charged: 50, priority: normal, reloadCost: 1}, {name: "b", charged: 50, priority: low, reloadCost: 9}},
			outcomeFitsAfter, []string{"b"},
		},
		"cheaper to load again: first": {
			demand{need: 50, priority: normal},
			[]resident{{name: "a", charged: 50, priority: low, reloadCost: 9}, {name: "b", charged: 50, priority: low, reloadCost: 1}},
			outcomeFitsAfter, []string{"b"},
		},
		"otherwise equal: the least recently used first": {
			demand{need: 50, priority: normal},
			[]resident{{name: "a", charged: 50, priority: low, lastUsed: ago(time.Second)}, {name: "b", charged: 50, priority: low, lastUsed: ago(time.Minute)}},
			outcomeFitsAfter, []string{"b"},
		},
		"higher priority: kept": {
			demand{need: 50, priority: normal}, []resident{{name: "a", charged: 80, priority: high}}, outcomeWait, nil,
		},
		"same priority: evicted": {
			demand{need: 50, priority: high}, []resident{{name: "a", charged: 80, priority: high}}, outcomeFitsAfter, []string{"a"},
		},
		"busy, pinned and unserved: kept": {
			demand{need: 50, priority: critical},
			[]resident{{name: "a", charged: 30, leases: 1}, {name: "b", charged: 30, pinned: true}, {name: "c", charged: 30, unserved: true}},
			outcomeWait, nil,
		},
		"not enough: nothing is evicted": {
			demand{need: 80, priority: critical},
			[]resident{{name: "a", charged: 30, priority: low}, {name: "b", charged: 60, leases: 1}}, outcomeWait, nil,
		},
		"not needed in the end: kept": {
			demand{need: 60, priority: critical},
			[]resident{{name: "small", charged: 10, priority: low}, {name: "large", charged: 90, priority: normal}},
			outcomeFitsAfter, []string{"large"},
		},
		"models being unloaded free enough: nothing more is evicted": {
			demand{need: 60, priority: critical},
			[]resident{{name: "a", charged: 60, unloading: true}, {name: "b", charged: 40}}, outcomeFitsAfter, nil,
		},
		"claimed memory is not free": {
			demand{need: 40, priority: normal, claimed: 40}, []resident{{name: "a", charged: 60, leases: 1}}, outcomeWait, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := planEviction(tt.demand, tt.residents, 100)
			if got.outcome != tt.outcome || !slices.Equal(names(got.victims), append([]string{}, tt.victims...)) {
				t.Errorf("got outcome %d victims %v, want %d %v", got.outcome, names(got.victims), tt.outcome, tt.victims)
			}
		})
	}
}

func TestPlanHandover(t *testing.T) {
	d := demand{need: 60, priority: normal}
	working := resident{name: "a", charged: 60, priority: normal, leases: 1, pastMinResidence: true}
	with := func(change func(*resident)) []resident { r := working; change(&r); return []resident{r} }
	if got := planHandover(d, []resident{working}, 100); !slices.Equal(names(got.victims), []string{"a"}) {
		t.Errorf("a model at work is not drained after its minimum residence: %+v", got)
	}
	for name, rs := range map[string][]resident{
		"pinned":          with(func(r *resident) { r.pinned = true }),
		"unserved":        with(func(r *resident) { r.unserved = true }),
		"too new":         with(func(r *resident) { r.pastMinResidence = false }),
		"higher priority": with(func(r *resident) { r.priority = high }),
	} {
		if got := planHandover(d, rs, 100); got.outcome != outcomeWait || len(got.victims) > 0 {
			t.Errorf("%s: got %+v, want to wait", name, got)
		}
	}
}

func TestEarliestRoom(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	later := now.Add(time.Minute)
	d := demand{need: 60, priority: normal}
	tests := map[string]struct {
		residents []resident
		at        time.Time
		ever      bool
	}{
		"busy, same priority: may end now":                {[]resident{{charged: 60, priority: normal, leases: 1}}, now, true},
		"higher priority: at the end of its idle timeout": {[]resident{{charged: 60, priority: high, idleAt: later}}, later, true},
		"higher priority without an idle timeout: never":  {[]resident{{charged: 60, priority: high}}, now, false},
		"pinned: never":                  {[]resident{{charged: 60, priority: low, pinned: true, idleAt: later}}, now, false},
		"being unloaded: counts as free": {[]resident{{charged: 60, priority: high, unloading: true}}, now, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at, ever := earliestRoom(d, tt.residents, 100, now)
			if ever != tt.ever || (ever && !at.Equal(tt.at)) {
				t.Errorf("got %v %v, want %v %v", at, ever, tt.at, tt.ever)
			}
		})
	}
}

// FuzzPlanEviction checks plans for any residents.
func FuzzPlanEviction(f *testing.F) {
	f.Add(int64(100), int64(50), int64(0), uint8(2), []byte{10, 0, 0, 40, 1, 3, 60, 2, 9})
	f.Add(int64(100), int64(101), int64(0), uint8(4), []byte{90, 64, 0})
	f.Add(int64(0), int64(0), int64(0), uint8(1), []byte{})
	f.Fuzz(func(t *testing.T, budget, need, claimed int64, priority uint8, data []byte) {
		budget, need, claimed = clamp(budget), clamp(need), clamp(claimed)
		d := demand{need: need, priority: gatewayv1.Priority(priority%4 + 1), claimed: claimed}
		residents := fuzzResidents(data)
		before := slices.Clone(residents)
		checkPlan(t, "eviction", d, residents, budget, planEviction(d, residents, budget), false)
		checkPlan(t, "handover", d, residents, budget, planHandover(d, residents, budget), true)
		if !slices.Equal(before, residents) {
			t.Fatal("the planner changed its input")
		}
	})
}

func clamp(n int64) int64 { return max(0, min(n, 1<<40)) }

// fuzzResidents makes three bytes a resident.
func fuzzResidents(data []byte) []resident {
	var out []resident
	for i := 0; i+2 < len(data); i += 3 {
		flags := data[i+1]
		out = append(out, resident{
			name:             string(rune('a' + i/3)),
			charged:          int64(data[i]),
			priority:         gatewayv1.Priority(data[i+2]%4 + 1),
			leases:           int(flags & 1),
			pinned:           flags&2 != 0,
			unserved:         flags&4 != 0,
			unloading:        flags&8 != 0,
			pastIdle:         flags&17 == 16, // a model in use is never past its idle timeout
			pastMinResidence: flags&32 != 0,
			reloadCost:       float64(data[i+2] >> 4),
			lastUsed:         time.Unix(int64(data[i+2]>>2), 0),
		})
	}
	return out
}

func checkPlan(t *testing.T, kind string, d demand, residents []resident, budget int64, p evictionPlan, handover bool) {
	t.Helper()
	now, free := freeBytes(d, residents, budget)
	after := free
	for i, v := range p.victims {
		if !slices.Contains(residents, v) || slices.Contains(p.victims[:i], v) {
			t.Fatalf("%s: victim %+v is not a resident, or named twice", kind, v)
		}
		if v.pinned || v.unserved || v.unloading {
			t.Fatalf("%s: victim %+v is pinned, unserved or unloading", kind, v)
		}
		if v.busy() && (!handover || !v.pastMinResidence || v.priority > d.priority) {
			t.Fatalf("%s: victim %+v is at work", kind, v)
		}
		if v.priority > d.priority && !v.pastIdle {
			t.Fatalf("%s: victim %+v is above %v", kind, v, d.priority)
		}
		after += v.charged
	}
	switch p.outcome {
	case outcomeNever:
		if d.need <= budget || len(p.victims) > 0 {
			t.Fatalf("%s: never, but need %d of %d, victims %v", kind, d.need, budget, names(p.victims))
		}
	case outcomeFits:
		if d.need > now || d.need > free || len(p.victims) > 0 {
			t.Fatalf("%s: fits, but need %d of %d", kind, d.need, now)
		}
	case outcomeFitsAfter:
		if d.need > after {
			t.Fatalf("%s: over budget: need %d, free after evictions %d", kind, d.need, after)
		}
		for _, v := range p.victims {
			if d.need <= after-v.charged {
				t.Fatalf("%s: victim %v is not needed", kind, v.name)
			}
		}
	case outcomeWait:
		if len(p.victims) > 0 {
			t.Fatalf("%s: waits, but evicts %v", kind, names(p.victims))
		}
	}
}
