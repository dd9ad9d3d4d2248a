package lifecycle

import (
	"cmp"
	"slices"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Long work must not keep the cores from others until it ends. While another
// model waits for cores, a model at work has them for turns of Options.CPUQuantum.
// Its worker is suspended for one that comes before it: at once for a higher
// priority, at the end of the turn for a low one whose turn it is (turns.go). The
// longer a request has been at work, the lower is its priority for this, so that a
// short request does not wait for a long one of the same priority, and long ones
// alternate. The requests of callers that have used more than their share of the cores
// come last, and at the same priority those of callers that have used them less come
// first (coreshares.go).
//
// A suspended worker's process does not run. Its requests are paused, and wait in
// the queue to resume like those whose clients have sent audio again.

// fallsAfter are the times at work after which a request has one priority less.
var fallsAfter = [...]time.Duration{2 * time.Second, 10 * time.Second, time.Minute}

// fallen returns the priority of a request that has been at work for so long.
func fallen(p gatewayv1.Priority, worked time.Duration) gatewayv1.Priority {
	for _, after := range fallsAfter {
		if worked >= after {
			p--
		}
	}
	return max(p, gatewayv1.Priority_PRIORITY_UNSPECIFIED)
}

// coresTurn is a model's turn of the cores.
type coresTurn struct {
	began time.Time
	// rank is the priority that the model has for this turn at least: that in whose
	// order it got the cores, or above all if it was its turn.
	rank gatewayv1.Priority
	// waited is since when it had waited for the turn; zero if it had the one
	// before too.
	waited time.Time
	// counted: it has counted in the turns of the cores. If not, it counts once it is
	// over.
	counted bool
}

// ownTurn is the rank of a model that got the cores because it was its turn.
const ownTurn = gatewayv1.Priority_PRIORITY_CRITICAL + 1

// waitsSince is since when a model has waited for cores that is suspended now: a
// turn that was cut short does not count.
func (t coresTurn) waitsSince(now time.Time, quantum time.Duration) time.Time {
	if now.Sub(t.began) < quantum && !t.waited.IsZero() {
		return t.waited
	}
	return now
}

// rank is the priority of a model at work: the highest of its requests, and of its
// turn until that is over.
func (p *processView) rank(now time.Time, quantum time.Duration) gatewayv1.Priority {
	highest := lowered(gatewayv1.Priority_PRIORITY_UNSPECIFIED, true)
	if now.Sub(p.turn.began) < quantum {
		highest = p.turn.rank
	}
	for _, l := range p.leases {
		if !l.paused {
			highest = max(highest, l.rank())
		}
	}
	return highest
}

// rank is the priority of a request at work.
func (l *leaseView) rank() gatewayv1.Priority {
	return lowered(fallen(l.priority, l.worked), l.exceeds)
}

// hasFallen reports whether every request at work has been so for long.
func (p *processView) hasFallen() bool {
	return !slices.ContainsFunc(p.leases, func(l leaseView) bool { return !l.paused && l.worked < fallsAfter[0] })
}

// yieldsTo reports whether a model at work is suspended for one that waits.
func (m *modelView) yieldsTo(h *grantable, s *snapshot) bool {
	p, quantum := m.proc, s.limits.cpuQuantum
	over := s.now.Sub(p.turn.began) >= quantum
	rank := p.rank(s.now, quantum)
	switch {
	case !s.now.After(p.turn.began): // it got the cores in this plan
		return false
	case h.turn:
		return over
	case h.waiter.effective == rank:
		return over && h.waiter.overdue && p.hasFallen() || s.shares.favour(h.waiter, p, quantum)
	default:
		return h.waiter.effective > rank
	}
}

// atWork returns the models that hold cores.
func (s *snapshot) atWork() []*modelView {
	var at []*modelView
	for i := range s.models {
		if m := &s.models[i]; m.holdsCores() && s.coresOf(m) > 0 {
			at = append(at, m)
		}
	}
	return at
}

// makeRoom suspends models at work for one that waits, the lowest first. It reports
// whether that frees as many cores as it lacks; if not, it suspends none.
func (p *planner) makeRoom(h *grantable, lacks int) bool {
	yielding := slices.DeleteFunc(p.atWork(), func(m *modelView) bool { return !m.yieldsTo(h, p.snapshot) })
	rank := func(m *modelView) gatewayv1.Priority { return m.proc.rank(p.now, p.limits.cpuQuantum) }
	slices.SortStableFunc(yielding, func(a, b *modelView) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.proc.turn.began.Compare(b.proc.turn.began))
	})
	n := 0
	for ; n < len(yielding) && lacks > 0; n++ {
		lacks -= p.coresOf(yielding[n])
	}
	if lacks > 0 {
		return false
	}
	for _, m := range yielding[:n] {
		over := p.now.Sub(m.proc.turn.began) >= p.limits.cpuQuantum
		p.decide(suspend{model: m.name, counts: over && !m.proc.turn.counted, rank: rank(m)})
	}
	return true
}

// endTurns begins the next turns of the models that keep the cores while others
// wait for them.
func (p *planner) endTurns() {
	for _, m := range p.atWork() {
		if p.now.Sub(m.proc.turn.began) >= p.limits.cpuQuantum {
			p.decide(nextTurn{model: m.name, rank: m.proc.rank(p.now, p.limits.cpuQuantum)})
		}
	}
}

// suspend has a worker's process stopped. Its requests wait for cores.
type suspend struct {
	model string
	// counts: its turn, of this rank, is over and has not counted yet.
	counts bool
	rank   gatewayv1.Priority
}

func (d suspend) predict(s *snapshot) {
	m := s.model(d.model)
	p := m.proc
	since := p.turn.waitsSince(s.now, s.limits.cpuQuantum)
	if d.counts {
		s.turns.granted(d.rank, 1)
	}
	p.suspended = true
	for i := range p.leases {
		l := &p.leases[i]
		if l.paused {
			continue
		}
		l.paused = true
		s.lastSeq++
		w := waiterView{
			seq: s.lastSeq, kind: waitResume, priority: fallen(l.priority, l.worked), arrival: since, runnable: latest(since, p.readyAt),
			lease: l.id, claimant: l.caller,
		}
		w.exceeds = s.shares.exceeds(l.caller, w.priority)
		w.overdue = s.now.Sub(w.runnable) >= s.limits.cpuQuantum
		w.age(time.Time{}, s)
		m.queue = append(m.queue, w)
	}
}

func (d suspend) carryOut(o *owner) {
	p := o.byName[d.model].proc
	since := p.turn.waitsSince(o.now, o.opts.CPUQuantum)
	if d.counts {
		o.turns.granted(d.rank, 1)
	}
	p.suspended = true
	o.fx.suspend(p.worker)
	for _, l := range p.leasesInOrder() {
		if l.pauses > 0 {
			continue
		}
		l.pause()
		p.addStall(l.working, o.now) // of each turn: together they are as long as any other work
		o.enqueue(&waiter{
			model: p.model, kind: waitResume, priority: l.rank(), arrival: since, lease: l, result: make(chan admission, 1),
		})
	}
}

// nextTurn begins a turn of a model that keeps the cores.
type nextTurn struct {
	model string
	rank  gatewayv1.Priority
}

func (d nextTurn) predict(s *snapshot) {
	s.turns.granted(d.rank, 1)
	s.model(d.model).proc.turn = coresTurn{began: s.now, counted: true}
}

func (d nextTurn) carryOut(o *owner) {
	o.turns.granted(d.rank, 1)
	o.byName[d.model].proc.turn = coresTurn{began: o.now, counted: true}
}

// proceed has a suspended process run again.
func (p *process) proceed() {
	if p.suspended {
		p.suspended = false
		p.model.fx.proceed(p.worker)
	}
}

// proceedIfNoneWaits has a suspended process run again if its requests have ended, or
// wait for their clients: those hold no cores, whatever the process still does.
func (p *process) proceedIfNoneWaits() {
	if !slices.ContainsFunc(p.model.queue, func(w *waiter) bool { return w.kind == waitResume }) {
		p.proceed()
	}
}

// proceedAll has a suspended process run again, with every request that waits to
// resume its work.
func (p *process) proceedAll() {
	if !p.suspended {
		return
	}
	for _, w := range slices.Clone(p.model.queue) {
		if w.kind == waitResume && !w.resolved {
			w.lease.proceed()
		}
	}
	p.proceed()
}

// rank is the priority with which a paused request waits for cores.
func (l *Lease) rank() gatewayv1.Priority { return fallen(l.priority, l.worked) }
