package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// effects is what the owner does to the world. None of its methods blocks;
// results come back as calls of the owner's methods.
type effects interface {
	// size looks a model's size up and answers with owner.sized.
	size(m *model)
	// launch starts a worker and loads its model; it answers with
	// owner.launched, owner.loaded or owner.loadFailed, owner.sampled, and in
	// any case at last owner.exited.
	launch(ctx context.Context, p *process, spec worker.Spec)
	// stop ends a worker.
	stop(w worker.Worker, grace time.Duration)
	// learn keeps what a run taught.
	learn(r record)
}

// owner is the state and the rules. It is not safe for concurrent use: the
// manager's loop, or a test, calls it. Each call sets now, does one thing, and
// ends with schedule.
type owner struct {
	mgr      *Manager
	opts     Options
	fx       effects
	budget   int64
	models   []*model
	byName   map[string]*model
	watchers map[*watcher]struct{}
	now      time.Time
	seq      uint64
	// draining: no new leases; stopping: the workers are being ended.
	draining, stopping bool
	// drained are closed once no lease is held.
	drained []chan struct{}
}

func newOwner(opts Options, specs []ModelSpec, fx effects) *owner {
	o := &owner{
		opts:     opts,
		fx:       fx,
		budget:   opts.BudgetBytes,
		byName:   map[string]*model{},
		watchers: map[*watcher]struct{}{},
		now:      opts.Clock.Now(),
	}
	for _, s := range specs {
		m := &model{
			spec:   s.withDefaults(),
			pinned: s.Pinned,
			state:  gatewayv1.ModelState_MODEL_STATE_UNLOADED,
		}
		o.models = append(o.models, m)
		o.byName[s.Name] = m
	}
	return o
}

// do runs one call on the state and the scheduling that follows from it.
func (o *owner) do(f func(*owner)) {
	o.now = o.opts.Clock.Now()
	if f != nil {
		f(o)
	}
	o.schedule()
}

// schedule does all that the present state and time call for.
func (o *owner) schedule() {
	o.expire()
	o.endSilent()
	o.reprieve()
	o.revive()
	o.grant()
	o.place()
	o.tidy()
	o.tellDrained()
}

// acquire admits or queues a request.
func (o *owner) acquire(w *waiter, name string) {
	m := o.admit(w, name)
	if m == nil {
		return
	}
	o.enqueue(w)
	if !w.deadline.IsZero() && !o.now.Before(w.deadline) {
		o.refuse(w, errs.New(errs.DeadlineExceeded, "the deadline had passed when the request for model %q arrived", name))
		return
	}
	o.refuseDoomed(w, o.ahead(w))
	o.schedule()
	o.boundQueue(m)
}

// load queues a request to load a model ahead.
func (o *owner) load(w *waiter, name string) {
	m := o.admit(w, name)
	if m == nil {
		return
	}
	if m.proc != nil && m.proc.phase == phaseReady {
		m.pinned = m.pinned || w.pin
		o.resolve(w, admission{})
		return
	}
	o.enqueue(w)
	o.schedule()
	o.boundQueue(m)
}

// admit gives a request its model and its priority. It returns nil for one that it
// has answered with a refusal.
func (o *owner) admit(w *waiter, name string) *model {
	m, err := o.admissible(name)
	if err != nil {
		w.resolved = true
		w.result <- admission{err: err}
		return nil
	}
	w.model = m
	if w.priority == gatewayv1.Priority_PRIORITY_UNSPECIFIED {
		w.priority = m.spec.Priority
	}
	return m
}

func (o *owner) admissible(name string) (*model, *errs.Error) {
	m := o.byName[name]
	switch {
	case m == nil:
		return nil, errs.New(errs.ModelNotFound, "no model %q is configured", name).With("model", name)
	case o.draining:
		return nil, errDraining()
	default:
		return m, nil
	}
}

func errDraining() *errs.Error {
	return errs.New(errs.Draining, "the server is shutting down; try again on another one, or when it is back")
}

// giveUp ends a wait whose caller has left or whose deadline has passed.
func (o *owner) giveUp(w *waiter, cause error) {
	if w.resolved {
		return
	}
	err := errs.From(cause)
	if err.Reason() == errs.DeadlineExceeded {
		if p := w.model.proc; p != nil && p.phase == phaseLoading {
			p.late = true
		}
		err = errs.New(errs.DeadlineExceeded, "the deadline passed after %s while the request waited for model %q: %s",
			round(o.now.Sub(w.arrival)), w.model.spec.Name, o.waitsFor(w)).WithCause(cause).With("model", w.model.spec.Name)
	}
	o.refuse(w, err)
}

// waitsFor tells a person what a request waits for.
func (o *owner) waitsFor(w *waiter) string {
	m := w.model
	switch {
	case m.proc == nil && m.size.fresh:
		return "its memory is held by " + o.holders(m)
	case m.proc == nil:
		return "its file was being looked at"
	case m.proc.phase == phaseLoading:
		return "it was loading"
	case m.proc.leaving():
		return "it was being unloaded"
	case len(m.proc.leases) >= m.spec.MaxConcurrency:
		return "as many requests as it takes at once were at work"
	default:
		return "the cores were busy"
	}
}

// launched takes note of a worker's process.
func (o *owner) launched(p *process, w worker.Worker) {
	p.worker = w
	p.alive(o.now)
	if p.phase == phaseStopping {
		o.fx.stop(w, 0)
	}
}

// drain lets a process finish its leases and then ends it. A load is cut short.
func (o *owner) drain(p *process, end *ending) {
	switch p.phase {
	case phaseStopping:
		return
	case phaseLoading:
		p.end = end
		o.stop(p, 0)
	default:
		p.end = end
		p.phase = phaseDraining
		if len(p.leases) == 0 {
			o.stop(p, o.opts.StopGrace)
		}
	}
	o.announce(p.model, change{detail: end.detail})
}

// kill ends a process at once, its leases with cause.
func (o *owner) kill(p *process, end *ending, cause *errs.Error) {
	if p.phase == phaseStopping {
		return
	}
	p.end = end
	if cause != nil {
		o.failLeases(p, cause)
	}
	o.stop(p, 0)
	o.announce(p.model, change{detail: end.detail})
}

// stop tells a process to end.
func (o *owner) stop(p *process, grace time.Duration) {
	p.phase = phaseStopping
	p.cancel()
	if p.worker != nil {
		o.fx.stop(p.worker, grace)
	}
}

// expire ends the waits that have lasted too long and the workers that make no
// progress.
func (o *owner) expire() {
	for _, m := range o.models {
		if m.proc != nil {
			o.checkProgress(m.proc)
			if m.proc.phase == phaseLoading {
				continue
			}
		}
		for _, w := range slices.Clone(m.queue) {
			if o.now.Sub(w.arrival) < o.opts.MaxWait || w.kind == waitResume {
				continue
			}
			reason := errs.QueueFull
			if m.proc == nil {
				reason = errs.MemoryBusy
			}
			o.refuse(w, errs.New(reason, "the request waited %s for model %q without its turn coming: %s",
				round(o.now.Sub(w.arrival)), m.spec.Name, o.waitsFor(w)).With("model", m.spec.Name))
		}
	}
}

// tidy ends loads that nobody waits for any more, by their own choice, and models past their idle time, and
// forgets sizes that nobody waits for.
func (o *owner) tidy() {
	for _, m := range o.models {
		p := m.proc
		if len(m.queue) > 0 {
			continue
		}
		switch {
		case p == nil:
			// What was looked up is old when the next request comes.
			m.size.fresh = false
		case p.phase == phaseLoading && !p.late:
			o.drain(p, &ending{detail: "nobody waits for the load any more"})
		case p.phase == phaseReady && len(p.leases) == 0 && !m.pinned && m.spec.IdleTimeout > 0 &&
			o.now.Sub(p.lastUsed) >= m.spec.IdleTimeout:
			o.drain(p, &ending{
				reason: gatewayv1.EvictionReason_EVICTION_REASON_IDLE,
				detail: "not used for " + m.spec.IdleTimeout.String(),
			})
		}
	}
}

// nextWake is how long until time alone changes something.
func (o *owner) nextWake() time.Duration {
	next := time.Hour
	at := func(t time.Time) {
		if d := t.Sub(o.now); d > 0 && d < next {
			next = d
		}
	}
	for _, m := range o.models {
		for _, w := range m.queue {
			at(w.arrival.Add(o.opts.MaxWait))
			at(w.arrival.Add(o.opts.HandoverAfter))
			at(w.runnableSince().Add(o.opts.CPUQuantum))
			at(w.arrival.Add(o.now.Sub(w.arrival).Truncate(o.opts.AgingStep) + o.opts.AgingStep))
		}
		if m.reviving() {
			at(m.revival.due)
		}
		p := m.proc
		if p == nil {
			continue
		}
		if p.phase == phaseDraining && p.end.forModel != nil {
			at(p.end.until)
		}
		for l := range p.leases {
			if !l.silent.IsZero() {
				at(l.silent.Add(o.opts.SilenceLimit))
			}
		}
		if p.phase == phaseReady {
			at(p.readyAt.Add(o.turn(p)))
			at(p.reprieved.until)
			if m.spec.IdleTimeout > 0 {
				at(p.lastUsed.Add(m.spec.IdleTimeout))
			}
		}
		if p.phase == phaseLoading || p.working > 0 {
			at(o.now.Add(m.spec.ProgressTimeout - p.idle(o.now)))
		}
	}
	return next
}
