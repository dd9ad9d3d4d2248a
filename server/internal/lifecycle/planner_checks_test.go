package lifecycle

import (
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// check checks a decision against the state before it.
func (w *world) check(s *snapshot, d decision) {
	switch d := d.(type) {
	case launch:
		m := s.model(d.model)
		if m.proc != nil || len(m.queue) == 0 || s.used()+d.bytes > s.limits.budget {
			w.Fatalf("%+v: process %+v, %d requests wait, %d used", d, m.proc, len(m.queue), s.used())
		}
	case drain:
		w.checkDrain(s, s.model(d.model), d)
	case kill:
		m := s.model(d.model)
		idle := len(m.proc.leases) == 0
		switch d.reason {
		case gatewayv1.EvictionReason_EVICTION_REASON_HUNG:
			if m.proc.stalled < m.progressTimeout {
				w.Fatalf("%+v: it has stalled for %s only", d, m.proc.stalled)
			}
		default:
			if s.used() <= s.limits.budget || m.proc.growth() <= 0 && !idle || d.err == nil && !idle {
				w.Fatalf("%+v: %d used, process %+v", d, s.used(), m.proc)
			}
		}
	case grant:
		m := s.model(d.model)
		i := slices.IndexFunc(m.queue, func(q waiterView) bool { return q.seq == d.waiter })
		if m.queue[i].kind == waitLease && (m.proc.phase != phaseReady || len(m.proc.leases) >= m.maxConcurrency) {
			w.Fatalf("%+v: phase %d, %d leases", d, m.proc.phase, len(m.proc.leases))
		}
		w.checkTurns(s, d, m.queue[i])
		if m.queue[i].kind == waitLease {
			w.checkCallers(m, m.queue[i].caller)
		}
	case suspend:
		w.checkSuspend(s, s.model(d.model))
		if d.counts {
			w.checkCores(s, d, d.rank, 1)
		}
	case nextTurn:
		w.checkCores(s, d, d.rank, 1)
	case refuse:
		if d.err == nil {
			w.Fatalf("%+v: no error", d)
		}
		w.checkRefused(s.model(d.model), d)
	}
}

// checkTurns checks that every priority gets its turns of the leases of a model, and
// counts a turn of the cores that begins. One of a suspended model that resumes counts
// once it is over, if it is not cut short.
func (w *world) checkTurns(s *snapshot, d grant, granted waiterView) {
	m := s.model(d.model)
	if granted.kind == waitLease {
		for p := low; p < critical; p++ {
			w.countTurn(d, passedOver{m.name, p}, granted.priority, 1, slices.ContainsFunc(m.queue, func(q waiterView) bool {
				return q.kind == waitLease && q.priority == p && !s.keptPlace(m).withheld(q.caller, s.now)
			}))
		}
	}
	if d.counts {
		w.checkCores(s, d, d.rank, m.maxConcurrency)
	}
}

// checkCores checks, at a turn of the cores that counts, that every priority gets its
// turns once it is overdue.
func (w *world) checkCores(s *snapshot, d decision, rank gatewayv1.Priority, concurrent int) {
	for p := low; p < critical; p++ {
		waits := false
		for i := range s.models {
			if m := &s.models[i]; m.threads > 0 {
				head := (&planner{snapshot: s}).grantable(m)
				waits = waits || head != nil && head.overdue && head.priority == p
			}
		}
		w.countTurn(d, passedOver{"", p}, raised(rank), concurrent, waits)
	}
}

// countTurn counts a turn of a priority, or the part of one that each of several
// concurrent requests has, for a lower one that waits. Two others may be due with it.
func (w *world) countTurn(d decision, k passedOver, to gatewayv1.Priority, concurrent int, waits bool) {
	if !waits || to <= k.priority {
		w.passed[k] = 0
		return
	}
	if w.passed[k] += wholeTurn / concurrent; w.passed[k] > (turnOf+1)*wholeTurn {
		w.Fatalf("%+v: %d turns in a row passed over priority %d", d, w.passed[k]/wholeTurn, k.priority)
	}
}

// checkCallers checks that a caller gets a lease before none that has fewer for its
// weight, and waits with the same priority or a higher one, unless it is the turn of a
// low priority or the last place is kept for others.
func (w *world) checkCallers(m *modelView, granted string) {
	if w.s.keptPlace(m).withheld(granted, w.s.now) {
		w.Fatalf("%s gets the last place of %s", granted, m.name)
	}
	if w.s.firstDue(m) != nil {
		return
	}
	held, highest, weights := m.held(), map[string]gatewayv1.Priority{}, map[string]int{}
	for _, q := range m.queue {
		weights[q.caller] = max(1, q.weight)
		if q.kind == waitLease {
			highest[q.caller] = max(highest[q.caller], q.amongCallers)
		}
	}
	for caller, p := range highest {
		if w.s.keptPlace(m).withheld(caller, w.s.now) {
			continue
		}
		if p > highest[granted] || p == highest[granted] && held[caller]/weights[caller] < held[granted]/weights[granted] {
			w.Fatalf("%s gets a lease of %s before %s: leases %v, priorities %v", granted, m.name, caller, held, highest)
		}
	}
}

// checkRefused checks that a full queue refuses the caller that has the most requests for its weight.
func (w *world) checkRefused(m *modelView, d refuse) {
	waiting, caller, n := map[string]float64{}, "", 0
	for _, q := range m.queue {
		if q.seq == d.waiter {
			caller = q.caller
		}
		if q.kind != waitResume {
			waiting[q.caller] += 1 / float64(max(1, q.weight))
			n++
		}
	}
	if d.err == nil || d.err.Reason() != errs.QueueFull || n <= m.maxQueue {
		return
	}
	for other, n := range waiting {
		if n > waiting[caller] {
			w.Fatalf("%+v: %s has %.1f requests in the queue for its weight, and %s %.1f", d, caller, waiting[caller], other, n)
		}
	}
}

// checkSuspend checks that a model is suspended only for one that comes before it, by
// priority, because it is its turn or for the use of its caller, and never twice at one
// moment.
func (w *world) checkSuspend(s *snapshot, m *modelView) {
	p := m.proc
	if p.suspended || p.working() == 0 || s.coresOf(m) == 0 || !p.turn.began.Before(s.now) {
		w.Fatalf("%s is suspended: %+v", m.name, p)
	}
	rank := p.rank(s.now, s.limits.cpuQuantum)
	over := s.now.Sub(p.turn.began) >= s.limits.cpuQuantum
	for i := range s.models {
		other := &s.models[i]
		if other.holdsCores() || s.coresOf(other) == 0 {
			continue
		}
		if h := (&planner{snapshot: s}).grantable(other); h != nil && (h.effective > rank || over && h.overdue || s.shares.favour(h, p, s.limits.cpuQuantum)) {
			return
		}
	}
	w.Fatalf("%s, of rank %d, is suspended for none of\n%s", m.name, rank, describe(s))
}

func (w *world) checkDrain(s *snapshot, m *modelView, d drain) {
	p := m.proc
	switch {
	case p.unloading() || m.pinned && p.phase == phaseReady:
		w.Fatalf("%+v: it is pinned or unloading: %+v", d, p)
	case d.forModel == "":
		if len(p.leases) > 0 || len(m.queue) > 0 {
			w.Fatalf("%+v: it is not idle: %+v", d, p)
		}
		return
	case len(p.leases) == 0 && len(m.queue) == 0 && p.unserved:
		w.Fatalf("%+v: it has not served those that it was loaded for", d)
	}
	other := s.model(d.forModel)
	var highest gatewayv1.Priority
	oldest := s.now
	for _, q := range other.queue {
		highest = max(highest, q.priority)
		if q.arrival.Before(oldest) {
			oldest = q.arrival
		}
	}
	r := s.resident(m, highest)
	if r.priority > highest && !r.pastIdle && s.now.Before(s.yieldsAt(other, m)) {
		w.Fatalf("%+v: it has a higher priority than those that need the memory", d)
	}
	if len(p.leases) > 0 && (s.now.Sub(oldest) < s.limits.handoverAfter || s.now.Sub(p.readyAt) < s.minResidence(p)) {
		w.Fatalf("%+v: a model at work is drained too early: %+v", d, p)
	}
}

// checkState checks the invariants of the state after all decisions.
func (w *world) checkState() {
	staying := w.s.used()
	for i := range w.s.models {
		m := &w.s.models[i]
		p := m.proc
		if p == nil {
			continue
		}
		if p.phase == phaseStopping {
			staying -= p.charged()
			if len(p.leases) > 0 {
				w.Fatalf("%s is stopped with leases: %+v", m.name, p)
			}
		}
		if len(p.leases) > m.maxConcurrency {
			w.Fatalf("%s has %d leases", m.name, len(p.leases))
		}
		waits := slices.ContainsFunc(m.queue, func(q waiterView) bool { return q.kind == waitResume })
		if p.suspended && (p.working() > 0 || !waits) {
			w.Fatalf("%s is suspended, but none of its requests waits, or some are at work: %+v", m.name, p)
		}
		admitted := slices.DeleteFunc(slices.Clone(m.queue), func(q waiterView) bool { return q.kind == waitResume })
		if len(admitted) > m.maxQueue {
			w.Fatalf("%d requests wait for %s", len(admitted), m.name)
		}
	}
	for i := range w.s.models {
		for _, q := range w.s.models[i].queue {
			if waited := w.s.now.Sub(q.arrival); q.kind != waitResume && waited > w.longestWait() {
				w.Fatalf("a request for %s has waited %s", w.s.models[i].name, waited)
			}
		}
	}
	if staying > w.s.limits.budget || w.s.used() > w.s.limits.budget+w.grown {
		w.Fatalf("%d used, %d of it stay, growth %d", w.s.used(), staying, w.grown)
	}
	if w.s.used() <= w.s.limits.budget {
		w.grown = 0
	}
	if n := w.s.coresUsed(); n > w.s.limits.cores {
		w.Fatalf("%d cores used", n)
	}
}
