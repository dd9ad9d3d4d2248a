package lifecycle

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// world simulates everything around the planner, without an owner: loads,
// requests and exits take time, and every decision is carried out.
type world struct {
	*rapid.T
	s *snapshot
	// due is when a model's load or exit ends; leases is when a lease ends.
	due    map[string]time.Time
	leases map[uint64]time.Time
	// stuck are the models whose worker makes no progress.
	stuck map[string]bool
	// grown is how much processes have grown since the budget was last kept.
	grown int64
	names []string
	// service is how long a lease may last.
	service time.Duration
	// passed counts the turns in a row that passed over a priority of a model, or,
	// without a model's name, over a model of that priority that waits for cores.
	passed map[passedOver]int
}

type passedOver struct {
	model    string
	priority gatewayv1.Priority
}

func newWorld(t *rapid.T) *world {
	w := &world{
		T: t, due: map[string]time.Time{}, leases: map[uint64]time.Time{}, passed: map[passedOver]int{}, service: 4 * time.Second, stuck: map[string]bool{},
		s: &snapshot{
			now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			limits: limits{
				budget: 100, cores: rapid.IntRange(1, 4).Draw(t, "cores"), handoverAfter: 2 * time.Second,
				cpuQuantum: 500 * time.Millisecond, agingStep: 10 * time.Second, silence: 5 * time.Second, maxWait: time.Minute,
			},
		},
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "models") {
		m := modelView{
			name:            string(rune('a' + i)),
			priority:        gatewayv1.Priority(rapid.IntRange(1, 4).Draw(t, "priority")),
			pinned:          rapid.IntRange(0, 7).Draw(t, "pinned") == 0,
			threads:         rapid.IntRange(0, 3).Draw(t, "threads"),
			maxConcurrency:  rapid.IntRange(1, 3).Draw(t, "concurrency"),
			maxQueue:        rapid.IntRange(1, 6).Draw(t, "queue"),
			idleTimeout:     time.Duration(rapid.IntRange(0, 30).Draw(t, "idle")) * time.Second,
			progressTimeout: 20 * time.Second,
			required:        int64(rapid.IntRange(5, 110).Draw(t, "bytes")),
			requiredFrom:    "declared",
			reloadDelay:     2 * time.Second,
		}
		w.s.models = append(w.s.models, m)
		w.names = append(w.names, m.name)
	}
	return w
}

// plan runs the planner until it decides nothing more, and checks each decision.
func (w *world) plan() {
	for passes := 0; ; passes++ {
		before := w.s.clone()
		decisions := plan(w.s)
		for _, d := range decisions {
			w.check(before, d)
			d.predict(before)
		}
		if got, want := describe(w.s), describe(before); got != want {
			w.Fatalf("the planner changed more than it decided:\n%s\nits decisions lead to\n%s", got, want)
		}
		w.checkState()
		w.follow(decisions)
		if len(decisions) == 0 {
			return
		}
		if passes == 20 {
			w.Fatalf("the planner decides without end: %#v", decisions)
		}
	}
}

// follow starts what decisions lead to.
func (w *world) follow(decisions []decision) {
	for _, d := range decisions {
		switch d := d.(type) {
		case lookUpSize:
			m := w.s.model(d.model)
			m.lookingUp, m.sizeKnown = false, true
		case launch:
			w.due[d.model] = w.s.now.Add(w.upTo(3 * time.Second))
			w.stuck[d.model] = false
		case grant:
			if _, resumed := w.leases[d.waiter]; !resumed {
				w.leases[d.waiter] = w.s.now.Add(w.upTo(w.service))
			}
		}
	}
	for i := range w.s.models {
		if m := &w.s.models[i]; m.proc != nil && m.proc.phase == phaseStopping && w.due[m.name].Before(w.s.now) {
			w.due[m.name] = w.s.now.Add(w.upTo(time.Second))
		}
	}
}

func (w *world) upTo(d time.Duration) time.Duration {
	return time.Duration(rapid.IntRange(0, int(d/time.Millisecond)).Draw(w.T, "ms")) * time.Millisecond
}

func (w *world) anyModel() *modelView {
	return w.s.model(rapid.SampledFrom(w.names).Draw(w.T, "model"))
}

var worldCallers = []string{"", "a", "b"}

// request adds a waiter to a queue.
func (w *world) request(m *modelView, kind waiterKind) {
	w.s.lastSeq++
	q := waiterView{
		seq: w.s.lastSeq, kind: kind, priority: gatewayv1.Priority(rapid.IntRange(1, 4).Draw(w.T, "priority")),
		arrival: w.s.now, since: w.s.now, runnable: w.s.now, live: rapid.Bool().Draw(w.T, "live"),
		caller: rapid.SampledFrom(worldCallers).Draw(w.T, "caller"),
	}
	q.claimant = q.caller
	q.weight = map[string]int{"b": 3}[q.caller]
	if rapid.Bool().Draw(w.T, "has a deadline") {
		q.deadline = w.s.now.Add(w.upTo(30 * time.Second))
	}
	q.effective, q.amongCallers = q.priority, q.priority
	m.queue = append(m.queue, q)
}

// advance lets time pass. Each event within that time happens at its moment.
func (w *world) advance(d time.Duration) {
	end := w.s.now.Add(d)
	for {
		next, happen := w.nextEvent()
		if next.After(end) {
			next, happen = end, nil
		}
		w.setTime(next)
		if happen == nil {
			w.plan()
			return
		}
		happen()
		w.plan()
	}
}

// nextEvent returns the next event, and its time.
func (w *world) nextEvent() (time.Time, func()) {
	at := w.s.now.Add(time.Hour)
	var happen func()
	for i := range w.s.models {
		m := &w.s.models[i]
		p := m.proc
		if p == nil {
			continue
		}
		if t := w.due[m.name]; (p.phase == phaseLoading && !w.stuck[m.name] || p.phase == phaseStopping) && t.Before(at) {
			at, happen = t, func() { w.processEvent(m) }
		}
		for _, l := range p.leases {
			if t := w.leases[l.id]; !l.paused && !w.stuck[m.name] && t.Before(at) {
				at, happen = t, func() { w.endLease(m, l.id) }
			}
		}
	}
	if at.Before(w.s.now) {
		at = w.s.now
	}
	return at, happen
}

// setTime moves the clock, and updates what depends on the time.
func (w *world) setTime(now time.Time) {
	passed := now.Sub(w.s.now)
	w.s.now = now
	for i := range w.s.models {
		m := &w.s.models[i]
		for j := range m.queue {
			q := &m.queue[j]
			starved := m.starvedSince
			if m.proc != nil {
				starved = time.Time{}
			}
			q.age(starved, w.s)
			q.overdue = now.Sub(q.runnable) >= w.s.limits.cpuQuantum
		}
		if p := m.proc; p != nil {
			p.stalled += passed
			if !w.stuck[m.name] || p.phase != phaseLoading && p.working() == 0 {
				p.stalled = 0
			}
			for j := range p.leases {
				if l := &p.leases[j]; l.paused {
					w.leases[l.id] = w.leases[l.id].Add(passed)
				} else {
					l.worked += passed
				}
			}
		}
	}
}

// processEvent ends the load or the exit of a process.
func (w *world) processEvent(m *modelView) {
	if m.proc.phase == phaseStopping || rapid.IntRange(0, 15).Draw(w.T, "load fails") == 0 {
		failed := m.proc.phase == phaseLoading
		w.exit(m)
		if failed {
			m.queue = nil
		}
		return
	}
	p := m.proc
	p.phase, p.readyAt, p.lastUsed = phaseReady, w.s.now, w.s.now
	m.reloadDue = time.Time{}
	m.removeWaiters(func(q waiterView) bool { return q.kind == waitLoad })
	for i := range m.queue {
		m.queue[i].waitedForLoad, m.queue[i].runnable = true, w.s.now
		p.unserved = true
	}
}

// exit is the end of a process.
func (w *world) exit(m *modelView) {
	for len(m.proc.leases) > 0 {
		m.dropLease(m.proc.leases[0].id)
	}
	m.required = max(m.required, min(m.proc.peak, max(m.required, w.s.limits.budget)))
	m.proc, m.sizeKnown = nil, false
}

func (w *world) endLease(m *modelView, id uint64) {
	m.dropLease(id)
	m.proc.lastUsed = w.s.now
	if m.proc.phase == phaseDraining && len(m.proc.leases) == 0 {
		m.proc.phase, m.proc.handover = phaseStopping, handover{}
	}
}

// act makes one random event happen, and plans.
func (w *world) act() {
	m := w.anyModel()
	p := m.proc
	switch rapid.IntRange(0, 13).Draw(w.T, "act") {
	case 0, 1, 2, 3:
		w.request(m, waitLease)
	case 4:
		if p == nil || p.phase != phaseReady {
			w.request(m, waitLoad)
		}
	case 5: // a caller leaves
		if len(m.queue) > 0 && m.queue[0].kind != waitResume {
			m.queue = slices.Delete(m.queue, 0, 1)
			if p != nil && p.phase == phaseLoading {
				p.missedDeadline = rapid.Bool().Draw(w.T, "by its deadline")
			}
		}
	case 6: // growth
		if p != nil && p.phase != phaseStopping {
			before := p.charged()
			p.measured += int64(rapid.IntRange(0, 60).Draw(w.T, "growth"))
			p.peak = max(p.peak, p.measured)
			w.grown += p.charged() - before
		}
	case 7: // a crash
		if p != nil && p.phase != phaseLoading && rapid.IntRange(0, 3).Draw(w.T, "crash") == 0 {
			w.exit(m)
			if m.pinned {
				m.reloadDue = w.s.now.Add(m.reloadDelay)
			}
		}
	case 8: // a hang
		w.stuck[m.name] = rapid.IntRange(0, 3).Draw(w.T, "hang") == 0
	case 9, 10: // a stream pauses, resumes, is silent
		if p != nil && len(p.leases) > 0 {
			w.pauseOrResume(m, &p.leases[0])
		}
	case 11: // steady load of short requests
		w.request(m, waitLease)
		w.service = 200 * time.Millisecond
		for range 2 * turnOf {
			for len(m.queue) < m.maxQueue {
				w.request(m, waitLease)
				q := &m.queue[len(m.queue)-1]
				q.priority, q.effective, q.amongCallers = critical, critical, critical
			}
			w.advance(w.upTo(w.service))
		}
		w.service = 4 * time.Second
	case 12: // long requests
		w.service = 40 * time.Second
		w.request(m, waitLease)
		w.advance(w.upTo(10 * time.Second))
		w.service = 4 * time.Second
	case 13:
		w.useCores()
	}
	w.plan()
}

// useCores sets how callers have used the cores.
func (w *world) useCores() {
	w.s.shares = coreShares{used: map[string]levels{}, share: w.upTo(10 * time.Second)}
	for _, caller := range worldCallers {
		var l levels
		for p := critical; p >= 0; p-- {
			l[p] = l[min(p+1, critical)] + w.upTo(5*time.Second)
		}
		w.s.shares.used[caller] = l
	}
	for i := range w.s.models {
		m := &w.s.models[i]
		for j := range m.queue {
			q := &m.queue[j]
			q.exceeds = w.s.shares.exceeds(q.claimant, q.priority)
		}
		if m.proc == nil {
			continue
		}
		for j := range m.proc.leases {
			l := &m.proc.leases[j]
			l.exceeds = w.s.shares.exceeds(l.caller, fallen(l.priority, l.worked))
		}
	}
	w.setTime(w.s.now)
}

func (w *world) pauseOrResume(m *modelView, l *leaseView) {
	waits := slices.ContainsFunc(m.queue, func(q waiterView) bool { return q.lease == l.id })
	switch {
	case !l.paused:
		l.paused = true
		if l.live {
			l.silentSince = w.s.now
		}
	case waits && m.proc.suspended:
		m.removeWaiters(func(q waiterView) bool { return q.lease == l.id })
		m.proc.suspended = slices.ContainsFunc(m.queue, func(q waiterView) bool { return q.kind == waitResume })
	case !waits:
		l.silentSince = time.Time{}
		w.request(m, waitResume)
		m.queue[len(m.queue)-1].lease = l.id
		m.queue[len(m.queue)-1].claimant = l.caller
		m.queue[len(m.queue)-1].priority = m.priority
	}
}

// waiting returns how many of the requests up to an identifier wait. Those that
// come later are the planner's own, for pinned models.
func (w *world) waiting(last uint64) int {
	n := 0
	for i := range w.s.models {
		for _, q := range w.s.models[i].queue {
			if q.seq <= last {
				n++
			}
		}
	}
	return n
}

// longestWait is how long a request may wait: maxWait, and the time until a load
// that is in progress then ends, at worst because it hangs.
func (w *world) longestWait() time.Duration { return w.s.limits.maxWait + 25*time.Second }
