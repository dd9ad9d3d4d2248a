package lifecycle

import (
	"context"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// effects is what the owner starts outside its own state. None of its methods
// blocks; results come back as calls on the owner goroutine.
type effects interface {
	// size looks a model's size up and answers with model.sized.
	size(m *model)
	// launch starts a worker and loads its model; it answers with
	// process.launched, process.loaded or process.loadFailed, process.sampled,
	// and in any case at last process.exited.
	launch(ctx context.Context, p *process, spec worker.Spec)
	// stop ends a worker.
	stop(w worker.Worker, grace time.Duration)
	// suspend stops a worker from running until proceed.
	suspend(w worker.Worker)
	proceed(w worker.Worker)
	// learn stores the record of a run.
	learn(r record)
}

// owner is the state of all models. It is not safe for concurrent use: the
// manager's loop, or a test, calls it. Each call of do changes the state by one
// event, plans what follows from it, and carries that out.
type owner struct {
	*env
	mgr    *Manager
	models []*model
	byName map[string]*model
	// seq is the last waiter.seq.
	seq uint64
	// shuttingDown: no new requests; stopping: the workers are being stopped.
	shuttingDown, stopping bool
	// turns are those of the cores.
	turns turns
	// coreUse is how callers have used the cores lately.
	coreUse coreUse
	// whenIdle are closed once no lease is held.
	whenIdle []chan struct{}
	// planned is the state after the last plan.
	planned *snapshot
}

func newOwner(opts Options, specs []ModelSpec, fx effects) *owner {
	o := &owner{
		env: &env{
			opts:     opts,
			fx:       fx,
			watchers: map[*watcher]struct{}{},
			now:      opts.Clock.Now(),
		},
		byName:  map[string]*model{},
		coreUse: coreUse{at: opts.Clock.Now(), callers: map[string]*levels{}},
	}
	for _, s := range specs {
		m := &model{
			env:    o.env,
			spec:   s.withDefaults(),
			pinned: s.Pinned,
			state:  gatewayv1.ModelState_MODEL_STATE_UNLOADED,
		}
		o.models = append(o.models, m)
		o.byName[s.Name] = m
	}
	o.planned = o.snapshot()
	return o
}

// do changes the state by f, which may be nil, and does what follows from that
// and from the time.
func (o *owner) do(f func(*owner)) {
	o.now = o.opts.Clock.Now()
	o.coreUse.count(o.now, o.models)
	if f != nil {
		f(o)
	}
	o.schedule()
	o.notifyIdle()
}

// read calls f, which changes nothing.
func (o *owner) read(f func(*owner)) {
	o.now = o.opts.Clock.Now()
	f(o)
}

// schedule plans what the present state and time call for, and carries it out.
func (o *owner) schedule() {
	for _, m := range o.models {
		if m.proc != nil {
			m.proc.observeIfStalled()
		}
	}
	o.shares = o.coreUse.shares(o.models, o.opts.CPUQuantum*time.Duration(o.opts.CPUThreads))
	o.planned = o.snapshot()
	for _, d := range plan(o.planned) {
		d.carryOut(o)
	}
}

// acquire queues a request for a lease, or refuses it.
func (o *owner) acquire(w *waiter, name string) {
	if !o.admit(w, name) {
		return
	}
	o.enqueue(w)
	if !w.deadline.IsZero() {
		if !o.now.Before(w.deadline) {
			w.refuse(errs.New(errs.DeadlineExceeded, "the deadline had passed when the request for model %q arrived", name).With("model", name))
			return
		}
		m := w.model.view()
		w.refuseLate(m.timeToReady(o.now), m.queueTime(m.ahead(w.seq)))
	}
	// What is granted or refused now can change what others may get: they are
	// planned by do.
	o.schedule()
}

// preload queues a request to load a model ahead of its use.
func (o *owner) preload(w *waiter, name string) {
	if !o.admit(w, name) {
		return
	}
	if m := w.model; m.proc != nil && m.proc.phase == phaseReady {
		m.pinned = m.pinned || w.pin
		w.resolve(admission{})
		return
	}
	o.enqueue(w)
	o.schedule()
}

// admit gives a request its model and its priority. It returns false if it has
// refused the request.
func (o *owner) admit(w *waiter, name string) bool {
	m := o.byName[name]
	if m == nil || o.shuttingDown {
		err := errs.ShuttingDown()
		if m == nil {
			err = errUnknown(name)
		}
		w.resolved = true
		w.result <- admission{err: err}
		return false
	}
	w.model = m
	if w.priority == gatewayv1.Priority_PRIORITY_UNSPECIFIED {
		w.priority = m.spec.Priority
	}
	if w.maxPriority != gatewayv1.Priority_PRIORITY_UNSPECIFIED {
		w.priority = min(w.priority, w.maxPriority)
	}
	return true
}

// giveUp ends a wait whose caller has left or whose deadline has passed.
func (o *owner) giveUp(w *waiter, cause error) {
	if w.resolved {
		return
	}
	err := errs.From(cause)
	if err.Reason() == errs.DeadlineExceeded {
		if p := w.model.proc; p != nil && p.phase == phaseLoading {
			p.missedDeadline = true
		}
		if w.model.proc == nil {
			w.model.starvedSince = earlier(w.model.starvedSince, w.arrival)
		}
		s := o.snapshot()
		err = s.deadlineError(s.model(w.model.spec.Name), o.now.Sub(w.arrival), cause)
	}
	w.refuse(err)
}
