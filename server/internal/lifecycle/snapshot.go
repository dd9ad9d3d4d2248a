package lifecycle

import (
	"cmp"
	"maps"
	"slices"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// snapshot is the state that the planner works on: copies of what the owner
// knows, at one moment. It holds no pointer into the owner's state, so a test
// can make one by hand and the planner can change its own.
type snapshot struct {
	now    time.Time
	limits limits
	// shuttingDown: no loads in the background.
	shuttingDown bool
	// lastSeq is the highest waiterView.seq so far.
	lastSeq uint64
	// turns are those of the cores.
	turns turns
	// shares are those of callers.
	shares coreShares
	// models are in the order of the configuration.
	models []modelView
}

// limits are the options that the planner works with.
type limits struct {
	budget        int64
	cores         int
	handoverAfter time.Duration
	cpuQuantum    time.Duration
	agingStep     time.Duration
	silence       time.Duration
	maxWait       time.Duration
}

// modelView is one model in a snapshot.
type modelView struct {
	name            string
	priority        gatewayv1.Priority
	pinned          bool
	threads         int
	maxConcurrency  int
	maxQueue        int
	idleTimeout     time.Duration
	progressTimeout time.Duration

	// required is what a load reserves, requiredFrom where that number is from.
	required     int64
	requiredFrom string
	// sizeKnown: required is up to date. lookingUp: it is being determined.
	sizeKnown, lookingUp bool
	// loadTime is the learned time of a load; 0 if unknown.
	loadTime time.Duration
	// uses is the decaying count of uses, serviceTime the mean time of a lease.
	uses        float64
	serviceTime time.Duration
	// reloadDue is when a pinned model whose process was lost is loaded again;
	// zero if it was not lost. reloadDelay is the time to the try after that.
	reloadDue   time.Time
	reloadDelay time.Duration

	// turns are those of its leases, and grants counts them.
	turns  turns
	grants grants
	recent recentCallers
	// starvedSince is when the first of the requests came that got no memory for
	// the model; zero since the last launch.
	starvedSince time.Time

	queue []waiterView
	// proc is nil while the model has no worker.
	proc *processView
}

// processView is a model's process in a snapshot.
type processView struct {
	phase                      phase
	reserved, measured, peak   int64
	started, readyAt, lastUsed time.Time
	unserved, missedDeadline   bool
	// suspended and turn: see process.
	suspended bool
	turn      coresTurn
	// leases are in the order of their identifiers.
	leases []leaseView
	// stalled is how long it has been at work without progress.
	stalled time.Duration
	// handover is set while it is handed over: in use, and draining for another
	// model.
	handover handover
	backoff  handoverBackoff
}

// handover is the drain of a process in use for another model.
type handover struct {
	// forModel is the model that needs the memory; empty if there is none.
	forModel string
	// until is how long requests may delay it.
	until time.Time
}

// leaseView is a lease in a snapshot.
type leaseView struct {
	id      uint64
	granted time.Time
	// worked is its time at work so far, without pauses.
	worked time.Duration
	paused bool
	live   bool
	caller string
	// priority is that of its request.
	priority gatewayv1.Priority
	// silentSince is when its request began to wait for audio; zero if it does
	// not.
	silentSince time.Time
	// absent: its client is gone, and may come back.
	absent bool
	// exceeds: its caller has used more than its share of the cores.
	exceeds bool
}

// waiterView is a queued request in a snapshot.
type waiterView struct {
	// seq identifies it and is the order of arrival.
	seq      uint64
	kind     waiterKind
	priority gatewayv1.Priority
	// effective is the priority that orders the queue, overdue says that it has
	// waited for cores for longer than the quantum.
	effective gatewayv1.Priority
	overdue   bool
	arrival   time.Time
	// since is when the wait began that raises its priority: its arrival, or that of
	// an earlier request that got no memory for the same model.
	since time.Time
	// deadline is zero without one.
	deadline time.Time
	// runnable is when it began to wait for cores alone.
	runnable time.Time
	// waitedForLoad: it was queued when the model became ready.
	waitedForLoad bool
	live          bool
	// lease is the lease that it resumes, for waitResume.
	lease uint64
	// amongCallers is the priority among the requests of other callers: it counts the
	// wait since servedAt.
	amongCallers gatewayv1.Priority
	servedAt     time.Time
	// caller, weight, turn and servedAt: see waiter.
	caller string
	weight int
	turn   turn
	// claimant is the caller whose request waits; exceeds: it has used more than its
	// share of the cores.
	claimant string
	exceeds  bool
}

// snapshot copies the state of all models.
func (o *owner) snapshot() *snapshot {
	s := &snapshot{
		now: o.now,
		limits: limits{
			budget:        o.opts.BudgetBytes,
			cores:         o.opts.CPUThreads,
			handoverAfter: o.opts.HandoverAfter,
			cpuQuantum:    o.opts.CPUQuantum,
			agingStep:     o.opts.AgingStep,
			silence:       o.opts.SilenceLimit,
			maxWait:       o.opts.MaxWait,
		},
		shuttingDown: o.shuttingDown,
		lastSeq:      o.seq,
		turns:        o.turns,
		shares:       o.shares,
		models:       make([]modelView, 0, len(o.models)),
	}
	for _, m := range o.models {
		s.models = append(s.models, m.view())
	}
	return s
}

func (m *model) view() modelView {
	need, from := m.required()
	v := modelView{
		name:            m.spec.Name,
		priority:        m.spec.Priority,
		pinned:          m.pinned,
		threads:         m.spec.Threads,
		maxConcurrency:  m.spec.MaxConcurrency,
		maxQueue:        m.spec.MaxQueue,
		idleTimeout:     m.spec.IdleTimeout,
		progressTimeout: m.spec.ProgressTimeout,
		required:        need,
		requiredFrom:    from,
		sizeKnown:       m.size.known,
		lookingUp:       m.size.lookingUp,
		loadTime:        m.size.learned.loadTime(),
		uses:            m.use.value(m.now),
		serviceTime:     m.stats.service,
		turns:           m.turns,
		grants:          m.grants,
		recent:          m.recent,
		starvedSince:    m.starvedSince,
		reloadDue:       m.reload.due,
		reloadDelay:     m.opts.cooldown(m.reload.tries + 1),
		queue:           make([]waiterView, 0, len(m.queue)),
	}
	for _, w := range m.queue {
		v.queue = append(v.queue, w.view())
	}
	if m.proc != nil {
		v.proc = m.proc.view()
	}
	return v
}

func (p *process) view() *processView {
	now := p.model.now
	v := &processView{
		phase:          p.phase,
		reserved:       p.reserved,
		measured:       p.measured,
		peak:           p.peak,
		started:        p.started,
		readyAt:        p.readyAt,
		lastUsed:       p.lastUsed,
		unserved:       p.unserved,
		missedDeadline: p.missedDeadline,
		suspended:      p.suspended,
		turn:           p.turn,
		stalled:        p.stalledFor(now),
		backoff:        p.backoff,
		leases:         make([]leaseView, 0, len(p.leases)),
	}
	if p.phase == phaseDraining {
		v.handover = handover{forModel: p.end.forModel, until: p.end.handoverUntil}
	}
	for _, l := range p.leasesInOrder() {
		worked := l.workedFor(now)
		v.leases = append(v.leases, leaseView{
			id: l.id, granted: l.granted, worked: worked, paused: l.pauses > 0, live: l.live, priority: l.priority,
			caller: l.caller, silentSince: l.silentSince, absent: l.absent, exceeds: p.model.shares.exceeds(l.caller, fallen(l.priority, worked)),
		})
	}
	return v
}

// leasesInOrder returns the leases in the order of their identifiers.
func (p *process) leasesInOrder() []*Lease {
	return slices.SortedFunc(maps.Keys(p.leases), func(a, b *Lease) int { return cmp.Compare(a.id, b.id) })
}

func (w *waiter) view() waiterView {
	m := w.model
	runnable := w.runnableSince()
	since, claimant := w.arrival, w.claimant()
	if m.proc == nil {
		since = earlier(m.starvedSince, since)
	}
	v := waiterView{
		seq:           w.seq,
		kind:          w.kind,
		priority:      w.priority,
		overdue:       m.now.Sub(runnable) >= m.opts.CPUQuantum,
		arrival:       w.arrival,
		since:         since,
		deadline:      w.deadline,
		runnable:      runnable,
		waitedForLoad: w.waitedForLoad,
		live:          w.live,
		caller:        w.caller,
		servedAt:      w.servedAt,
		weight:        w.weight,
		turn:          w.turn,
		claimant:      claimant,
		exceeds:       m.shares.exceeds(claimant, w.priority),
	}
	v.effective = lowered(effectivePriority(w.priority, m.now.Sub(since), m.opts.AgingStep), v.exceeds)
	if w.lease != nil {
		v.lease = w.lease.id
	}
	v.rank(m.now, m.opts.AgingStep)
	return v
}

// model returns the model of a name; nil if there is none.
func (s *snapshot) model(name string) *modelView {
	for i := range s.models {
		if s.models[i].name == name {
			return &s.models[i]
		}
	}
	return nil
}

// used is what is charged to all models.
func (s *snapshot) used() int64 {
	var sum int64
	for i := range s.models {
		sum += s.models[i].charged()
	}
	return sum
}

// free is what is left of the budget; never negative.
func (s *snapshot) free() int64 { return max(0, s.limits.budget-s.used()) }

// coresUsed is how many cores the models at work hold.
func (s *snapshot) coresUsed() int {
	n := 0
	for i := range s.models {
		if m := &s.models[i]; m.holdsCores() {
			n += s.coresOf(m)
		}
	}
	return n
}

// holdsCores reports whether the model is at work.
func (m *modelView) holdsCores() bool {
	return m.proc != nil && m.proc.phase != phaseStopping && m.proc.working() > 0
}

// coresOf is how many cores a model holds while it is at work: as many as it
// has threads, whatever the number of its leases.
func (s *snapshot) coresOf(m *modelView) int { return min(m.threads, s.limits.cores) }

// charged is what counts against the budget: nothing without a process.
func (m *modelView) charged() int64 {
	if m.proc == nil {
		return 0
	}
	return m.proc.charged()
}

func (p *processView) charged() int64 { return max(p.reserved, p.measured) }

// unloading reports whether the process's bytes come back without a further
// decision.
func (p *processView) unloading() bool { return p.phase == phaseDraining || p.phase == phaseStopping }

// working is the number of leases that are not paused.
func (p *processView) working() int {
	n := 0
	for _, l := range p.leases {
		if !l.paused {
			n++
		}
	}
	return n
}

// head returns the first in the queue of those that accept holds for; nil if
// there is none.
func (m *modelView) head(accept func(*waiterView) bool) *waiterView {
	if held := m.held(); held != nil {
		return m.firstOfCallers(held, accept)
	}
	var best *waiterView
	for i := range m.queue {
		w := &m.queue[i]
		if accept(w) && (best == nil || compareWaiters(w, best) < 0) {
			best = w
		}
	}
	return best
}

// demanded is the priority with which the model claims memory: the highest of
// the requests that wait for it.
func (m *modelView) demanded() gatewayv1.Priority {
	if len(m.queue) == 0 {
		return m.priority
	}
	highest := gatewayv1.Priority_PRIORITY_UNSPECIFIED
	for _, w := range m.queue {
		highest = max(highest, w.priority)
	}
	return highest
}

func anyWaiter(*waiterView) bool { return true }

// awaitsReload reports whether a lost model waits for its next load in the
// background.
func (m *modelView) awaitsReload() bool {
	return m.pinned && m.proc == nil && !m.reloadDue.IsZero() && len(m.queue) == 0
}
