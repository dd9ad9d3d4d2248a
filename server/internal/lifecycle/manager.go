package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/peers"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// progressPeriod is how often Load reports.
const progressPeriod = 100 * time.Millisecond

// Manager loads, admits, queues, evicts and unloads models under a memory
// budget. Its methods may be called concurrently; every error is an
// *errs.Error.
type Manager struct {
	opts     Options
	launcher worker.Launcher
	learned  *store

	inbox   *inbox
	unseen  atomic.Int64 // requests that ended before the owner took them
	reports reports
	stopped chan struct{}
	// processes are the goroutines of workers and look-ups, background the others.
	processes, background sync.WaitGroup
}

// New starts a manager. It must be ended with Shutdown or Close.
func New(opts Options, models []ModelSpec, launcher worker.Launcher) (*Manager, error) {
	if opts.BudgetBytes <= 0 {
		return nil, fmt.Errorf("lifecycle: the memory budget must be more than 0 bytes, not %d", opts.BudgetBytes)
	}
	if launcher == nil {
		return nil, errors.New("lifecycle: a launcher is required")
	}
	seen := map[string]bool{}
	for _, s := range models {
		if s.Name == "" || seen[s.Name] {
			return nil, fmt.Errorf("lifecycle: the model name %q is empty or is used twice", s.Name)
		}
		seen[s.Name] = true
	}
	opts = opts.withDefaults()
	m := &Manager{
		opts:     opts,
		launcher: launcher,
		inbox:    newInbox(),
		stopped:  make(chan struct{}),
	}
	dir := ""
	if opts.StateDir != "" {
		dir = filepath.Join(opts.StateDir, "learned")
	}
	m.learned = newStore(dir, opts.BudgetBytes, opts.Logger)
	o := newOwner(opts, models, m)
	o.mgr = m
	m.background.Go(func() { m.learned.run(m.stopped) })
	m.background.Go(func() { m.loop(o) })
	m.background.Go(func() { m.preview(models) })
	return m, nil
}

// preview looks up the size of each model, so that its status and plans contain
// it before the first load.
func (m *Manager) preview(specs []ModelSpec) {
	for _, spec := range specs {
		select {
		case <-m.stopped:
			return
		default:
		}
		s := lookUp(spec, m.learned)
		if s.err != nil {
			m.opts.Logger.Warn("requests for a model will fail", "model", spec.Name, "path", spec.Worker.Load.GetPath(), "error", s.err)
		}
		m.post(func(o *owner) { o.byName[spec.Name].preview(s) })
	}
}

// loop is the owner goroutine.
func (m *Manager) loop(o *owner) {
	defer close(m.stopped)
	timer := m.opts.Clock.NewTimer(o.planned.nextWake())
	defer timer.Stop()
	for !o.ended() {
		c := &call{}
		select {
		case <-m.inbox.ready:
			if c = m.inbox.next(); c == nil {
				continue
			}
		case <-timer.Chan():
		}
		if c.reads {
			o.read(c.run)
			continue
		}
		o.do(c.run)
		timer.Reset(o.planned.nextWake())
	}
	o.closeWatchers()
}

// post makes the owner run f for the server itself. It returns false if the
// manager has ended.
func (m *Manager) post(f func(*owner)) bool {
	c := &call{run: f}
	m.inbox.putOwn(c)
	select {
	case <-c.taken:
		return true
	case <-m.stopped:
		return false
	}
}

// ask makes the owner run f for a request, when it is the turn of the request's
// caller. A request that ends before that does not reach the owner.
func (m *Manager) ask(ctx context.Context, f func(*owner)) error {
	if ctx.Err() != nil {
		return errs.From(ctx.Err())
	}
	c := &call{run: f}
	m.inbox.putFor(peers.Caller(ctx), c)
	select {
	case <-c.taken:
		return nil
	case <-m.stopped:
		return errs.ShuttingDown()
	case <-ctx.Done():
	}
	if m.inbox.withdraw(c) {
		return errs.From(ctx.Err())
	}
	return nil
}

// call makes the owner run f for a request and waits for it.
func (m *Manager) call(ctx context.Context, f func(*owner)) error {
	done := make(chan struct{})
	if err := m.ask(ctx, func(o *owner) { f(o); close(done) }); err != nil {
		return err
	}
	<-done
	return nil
}

func (m *Manager) newWaiter(ctx context.Context, kind waiterKind) *waiter {
	w := &waiter{kind: kind, caller: peers.Caller(ctx), arrival: m.opts.Clock.Now(), result: make(chan admission, 1)}
	if d, ok := ctx.Deadline(); ok {
		w.deadline = d
	}
	return w
}

// await begins the wait of a waiter and waits until it is answered or ctx ends.
func (m *Manager) await(ctx context.Context, w *waiter, start func(*owner)) (*Lease, error) {
	if err := m.ask(ctx, start); err != nil {
		if w.kind == waitLease {
			m.unseen.Add(1)
		}
		return nil, err
	}
	select {
	case a := <-w.result:
		return a.lease, a.err
	case <-ctx.Done():
	}
	m.post(func(o *owner) { o.giveUp(w, whyEnded(ctx)) })
	a := <-w.result
	return a.lease, a.err
}

// whyEnded returns why a context has ended. That is context.DeadlineExceeded also if
// the context was cancelled with a cause that wraps it: the router ends an attempt
// that way before the caller's deadline (router/deadline.go), and a load must
// continue then as after a deadline. Otherwise it is the context's error.
func whyEnded(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// Acquire waits until the model is loaded and can take the request, and returns
// a lease on it. It loads the model if necessary and evicts others for it.
//
// Among requests of one priority, the one with the earliest deadline of ctx gets
// its lease first. The error is DEADLINE_EXCEEDED if the deadline passes, or at
// once if the model's load time and queue show that it will. It is MEMORY_BUSY as
// soon as it is known that no memory for the model becomes free before the
// deadline. Whatever the deadline, a wait for a model that is not loading ends
// after Options.MaxWait, with QUEUE_FULL or MEMORY_BUSY. The error is CANCELLED if
// ctx is cancelled, and that of the load if the load failed.
func (m *Manager) Acquire(ctx context.Context, req Request) (*Lease, error) {
	w := m.newWaiter(ctx, waitLease)
	w.priority, w.maxPriority, w.live, w.weight = req.Priority, req.MaxPriority, req.Live, req.Weight
	l, err := m.await(ctx, w, func(o *owner) { o.acquire(w, req.Model) })
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		// The lease was granted while the caller left.
		err := errs.From(ctx.Err())
		l.Release(err)
		return nil, err
	}
	return l, nil
}

// Load loads a model before its first request and returns when it is ready.
// progress, if not nil, is called from this goroutine every 100 ms and at the
// end. If ctx is cancelled and no other caller waits for the model, the load is
// cancelled.
func (m *Manager) Load(ctx context.Context, req LoadRequest, progress func(LoadProgress)) error {
	w := m.newWaiter(ctx, waitLoad)
	w.priority, w.maxPriority, w.pin = req.Priority, req.MaxPriority, req.Pin
	if err := m.ask(ctx, func(o *owner) { o.preload(w, req.Model) }); err != nil {
		return err
	}
	report := func() {
		if progress == nil {
			return
		}
		var p LoadProgress
		if err := m.call(ctx, func(o *owner) {
			if model := o.byName[req.Model]; model != nil {
				p = model.loadProgress()
			}
		}); err == nil && p.State != 0 {
			progress(p)
		}
	}
	ticker := m.opts.Clock.NewTicker(progressPeriod)
	defer ticker.Stop()
	report()
	for {
		select {
		case a := <-w.result:
			if a.err == nil {
				report()
			}
			return a.err
		case <-ticker.Chan():
			report()
		case <-ctx.Done():
			m.post(func(o *owner) { o.giveUp(w, whyEnded(ctx)) })
			return (<-w.result).err
		}
	}
}

// Unload unpins a model, lets its requests end, and returns when its process is
// reaped, with the bytes that it held. Requests that wait for the model are not
// lost: they load it again. For a failed model it ends the cooldown. If ctx ends
// while requests are still at work, and no other caller unloads the model, the
// model serves again, pinned if it was.
func (m *Manager) Unload(ctx context.Context, name string) (int64, error) {
	done := make(chan int64, 1)
	var found *model
	err := m.call(ctx, func(o *owner) {
		if found = o.byName[name]; found != nil {
			found.unload(done)
		}
	})
	if err != nil {
		return 0, err
	}
	if found == nil {
		return 0, errUnknown(name)
	}
	select {
	case freed := <-done:
		return freed, nil
	case <-ctx.Done():
	}
	left := errs.From(ctx.Err())
	// The owner answers at once, so this wait needs no timeout.
	if err := m.call(context.WithoutCancel(ctx), func(*owner) { left = found.abandonUnload(done, ctx.Err()) }); err != nil {
		return 0, err
	}
	select {
	case freed := <-done: // it was unloaded in the meantime
		return freed, nil
	default:
		return 0, left
	}
}

// Plan returns what a load of the model would do, and why. It changes nothing.
func (m *Manager) Plan(ctx context.Context, name string, priority gatewayv1.Priority) (*gatewayv1.PlanLoadResponse, error) {
	var spec ModelSpec
	var found, known bool
	if err := m.call(ctx, func(o *owner) {
		if model := o.byName[name]; model != nil {
			found, known, spec = true, model.proc != nil || model.size.known, model.spec
		}
	}); err != nil {
		return nil, err
	}
	if !found {
		return nil, errUnknown(name)
	}
	var s *sizing
	if !known {
		found := lookUp(spec, m.learned)
		if found.err != nil {
			return nil, errs.From(found.err).With("model", name)
		}
		s = &found
	}
	var resp *gatewayv1.PlanLoadResponse
	err := m.call(ctx, func(o *owner) { resp = o.planLoad(o.byName[name], priority, s) })
	return resp, err
}

// Watch returns the state changes of a model, or of all if name is empty. The
// first events are the present states. The channel is closed when ctx or the
// manager ends. A slow reader loses events; dropped_count says how many.
func (m *Manager) Watch(ctx context.Context, name string) (<-chan *gatewayv1.WatchModelsResponse, error) {
	var w *watcher
	if err := m.call(ctx, func(o *owner) { w = o.watch(name) }); err != nil {
		return nil, err
	}
	if w == nil {
		return nil, errUnknown(name)
	}
	context.AfterFunc(ctx, func() { m.post(func(o *owner) { o.unwatch(w) }) })
	return w.events, nil
}
