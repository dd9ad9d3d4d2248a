package lifecycle

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Each test case is one state and what the planner decides on it. The budget is
// 100 bytes; a and b have the priority NORMAL.
func TestPlanExamples(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	loaded := func(bytes int64, leases ...leaseView) *processView {
		return &processView{
			phase: phaseReady, reserved: bytes, started: ago(2 * time.Minute), readyAt: ago(time.Minute), lastUsed: ago(10 * time.Second), leases: leases,
		}
	}
	waits := func(arrival time.Time) []waiterView {
		return []waiterView{{seq: 9, priority: normal, effective: normal, arrival: arrival, since: arrival, runnable: arrival}}
	}
	lease := leaseView{id: 1, granted: ago(10 * time.Second)}
	// Requests 7 and 8 of a caller that has one lease, then 9 of another one.
	floods := func() []waiterView {
		queue := slices.Concat(waits(ago(time.Second)), waits(ago(time.Second)), waits(now))
		for i := range queue {
			queue[i].seq, queue[i].amongCallers = uint64(7+i), normal //nolint:gosec // small
			queue[i].caller, queue[i].turn = "flood", turn{1, 1}
		}
		queue[2].caller = "other"
		return queue
	}
	for name, tt := range map[string]struct {
		change func(a, b *modelView)
		want   []string
	}{
		"nothing to do": {func(*modelView, *modelView) {}, nil},
		"the size is not known: look it up": {
			func(_, b *modelView) { b.queue, b.sizeKnown = waits(now), false }, []string{"lookUpSize b"},
		},
		"it fits: launch": {
			func(_, b *modelView) { b.queue = waits(now) }, []string{"launch b"},
		},
		"it is loaded: grant": {
			func(_, b *modelView) { b.proc, b.queue = loaded(60), waits(now) }, []string{"grant b"},
		},
		"an idle model holds the memory: evict it": {
			func(a, b *modelView) { a.proc, b.queue = loaded(60), waits(now) }, []string{"drain a for b"},
		},
		"a model at work holds the memory: wait": {
			func(a, b *modelView) { a.proc, b.queue = loaded(60, lease), waits(now) }, nil,
		},
		"it has held it for long enough: hand it over": {
			func(a, b *modelView) { a.proc, b.queue = loaded(60, lease), waits(ago(3*time.Second)) }, []string{"drain a for b"},
		},
		"a pinned model holds the memory: refuse": {
			func(a, b *modelView) { a.pinned, a.proc, b.queue = true, loaded(60), waits(now) }, []string{"refuse b", "forgetSize b"},
		},
		"it exceeds the budget: refuse": {
			func(_, b *modelView) { b.required, b.queue = 101, waits(now) }, []string{"refuse b", "forgetSize b"},
		},
		"the request has waited for too long: refuse": {
			func(a, b *modelView) { a.proc, b.queue = loaded(60, lease), waits(ago(time.Minute)) }, []string{"refuse b", "forgetSize b"},
		},
		"the waiting model has no requests any more: cancel its handover": {
			func(a, _ *modelView) {
				a.proc = loaded(60, lease)
				a.proc.phase, a.proc.handover = phaseDraining, handover{forModel: "b", until: now.Add(time.Second)}
			}, []string{"cancelHandover a"},
		},
		"it grew while it was idle: end it": {
			func(a, _ *modelView) { a.proc = loaded(60); a.proc.measured = 101 }, []string{"kill a OVER_BUDGET"},
		},
		"it grew while another one was idle: end that": {
			func(a, b *modelView) { a.proc, b.proc = loaded(40, lease), loaded(40); a.proc.measured = 70 }, []string{"kill b OVER_BUDGET"},
		},
		"it makes no progress: end it": {
			func(a, _ *modelView) { a.proc = loaded(60, lease); a.proc.stalled = 30 * time.Second }, []string{"kill a HUNG"},
		},
		"it was not used for its idle timeout: unload it": {
			func(a, _ *modelView) { a.proc = loaded(60); a.proc.lastUsed = ago(5 * time.Minute) }, []string{"drain a"},
		},
		"a stream is silent while a request waits: end it, grant": {
			func(a, _ *modelView) {
				a.proc, a.queue, a.maxConcurrency = loaded(60, leaseView{id: 1, paused: true, live: true, silentSince: ago(30 * time.Second)}), waits(now), 1
			}, []string{"endSilent a", "grant a"},
		},
		"a model at work has had its turn, and the other comes first: suspend it, grant": {
			func(a, b *modelView) {
				a.threads, b.threads = 2, 2
				a.proc, b.proc, b.queue = loaded(40, leaseView{id: 1, priority: normal, worked: 10 * time.Second}), loaded(40), waits(now)
			}, []string{"suspend a", "grant b"},
		},
		"a model at work has had its turn, and comes first again: it keeps the cores": {
			func(a, b *modelView) {
				a.threads, b.threads = 2, 2
				a.proc, b.proc, b.queue = loaded(40, leaseView{id: 1, priority: high, worked: time.Second}), loaded(40), waits(now)
			}, []string{"nextTurn a"},
		},
		"a caller without leases comes after others: it gets the next lease": {
			func(a, _ *modelView) {
				a.proc, a.queue = loaded(60, leaseView{id: 1, caller: "flood"}), floods()
			}, []string{"grant a"},
		},
		"the queue is full: refuse the caller with the most requests": {
			func(a, _ *modelView) {
				a.proc, a.queue, a.maxQueue, a.maxConcurrency = loaded(60, leaseView{id: 1, caller: "flood"}), floods(), 2, 1
			}, []string{"refuse a (request 8)"},
		},
		"a pinned model was lost: load it again": {
			func(a, _ *modelView) { a.pinned, a.reloadDue = true, now }, []string{"reload a", "launch a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &snapshot{now: now, limits: limits{
				budget: 100, cores: 2, handoverAfter: 2 * time.Second, cpuQuantum: time.Second, agingStep: 10 * time.Second,
				silence: 30 * time.Second, maxWait: time.Minute,
			}}
			for _, name := range []string{"a", "b"} {
				s.models = append(s.models, modelView{
					name: name, priority: normal, threads: 1, maxConcurrency: 2, maxQueue: 8, idleTimeout: 5 * time.Minute,
					progressTimeout: 30 * time.Second, required: 60, sizeKnown: true,
				})
			}
			tt.change(&s.models[0], &s.models[1])
			for i := range s.models { // a size is forgotten where no request waits
				s.models[i].sizeKnown = s.models[i].sizeKnown && (len(s.models[i].queue) > 0 || s.models[i].awaitsReload())
			}
			var got []string
			for _, d := range plan(s) {
				got = append(got, summary(d))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// summary names a decision and its model.
func summary(d decision) string {
	switch d := d.(type) {
	case lookUpSize:
		return "lookUpSize " + d.model
	case forgetSize:
		return "forgetSize " + d.model
	case launch:
		return "launch " + d.model
	case drain:
		if d.forModel != "" {
			return "drain " + d.model + " for " + d.forModel
		}
		return "drain " + d.model
	case cancelHandover:
		return "cancelHandover " + d.model
	case kill:
		return "kill " + d.model + " " + d.reason.String()[len("EVICTION_REASON_"):]
	case grant:
		return "grant " + d.model + other(d.waiter)
	case refuse:
		return "refuse " + d.model + other(d.waiter)
	case endSilent:
		return "endSilent " + d.model
	case reload:
		return "reload " + d.model
	case suspend:
		return "suspend " + d.model
	case nextTurn:
		return "nextTurn " + d.model
	default:
		return fmt.Sprintf("unknown decision %T", d)
	}
}

// other names a request that is not 9, the one of most examples.
func other(waiter uint64) string {
	if waiter == 9 {
		return ""
	}
	return fmt.Sprintf(" (request %d)", waiter)
}
