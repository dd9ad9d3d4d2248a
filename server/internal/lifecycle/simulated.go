package lifecycle

import (
	"context"
	"log/slog"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// Simulated is the manager of a simulated server. Its state, its queues and its planner
// are those of Manager. But it has no goroutines and no processes, and its time is that
// of Options.Clock, so that one goroutine can simulate hundreds of servers; see package
// simulate. Its workers load at once, always make progress, and use what was declared.
//
// It is not safe for concurrent use.
type Simulated struct {
	o     *owner
	store *store
	// sizing, launched and stopped are what the owner has started and what is not
	// answered yet.
	sizing   []*model
	launched []*process
	stopped  []*process
	workers  map[worker.Worker]*process
	waits    []simulatedWait
	idle     chan struct{}
}

// simulatedWait is a request that has no answer yet.
type simulatedWait struct {
	waiter *waiter
	answer func(*Lease, error)
}

var _ effects = (*Simulated)(nil)

// NewSimulated returns a manager whose models are not loaded.
func NewSimulated(opts Options, models []ModelSpec) *Simulated {
	opts.Logger = slog.New(slog.DiscardHandler)
	opts = opts.withDefaults()
	s := &Simulated{store: newStore("", opts.BudgetBytes, opts.Logger), workers: map[worker.Worker]*process{}}
	s.o = newOwner(opts, models, s)
	return s
}

// Load loads a model.
func (s *Simulated) Load(name string) {
	w := &waiter{kind: waitLoad, arrival: s.o.opts.Clock.Now(), result: make(chan admission, 1)}
	s.do(func(o *owner) { o.preload(w, name) })
}

// Acquire asks for a lease for a request of a caller. answer is called once: during this
// call, or during a later one of another method.
func (s *Simulated) Acquire(req Request, caller string, answer func(*Lease, error)) {
	w := &waiter{
		kind: waitLease, caller: caller, arrival: s.o.opts.Clock.Now(), result: make(chan admission, 1),
		priority: req.Priority, maxPriority: req.MaxPriority, live: req.Live, weight: req.Weight,
	}
	s.waits = append(s.waits, simulatedWait{w, answer})
	s.do(func(o *owner) { o.acquire(w, req.Model) })
}

// Release gives a lease back and counts the request as ended with err.
func (s *Simulated) Release(l *Lease, err error) { s.do(func(o *owner) { o.release(l, err) }) }

// Advance does what follows from the time alone.
func (s *Simulated) Advance() { s.do(nil) }

// Wake returns how long until Advance may have something to do.
func (s *Simulated) Wake() time.Duration { return s.o.planned.nextWake() }

// BeginShutdown refuses new requests; those that wait or have a lease are served.
func (s *Simulated) BeginShutdown() {
	s.idle = make(chan struct{})
	s.do(func(o *owner) { o.beginShutdown(s.idle) })
}

// Idle reports whether no request is left after BeginShutdown.
func (s *Simulated) Idle() bool {
	select {
	case <-s.idle:
		return true
	default:
		return false
	}
}

// do runs one call, what it starts, and the answers that follow.
func (s *Simulated) do(f func(*owner)) {
	s.o.do(f)
	for s.settle() {
	}
	var answered []simulatedWait
	waits := s.waits[:0]
	for _, w := range s.waits {
		if w.waiter.resolved {
			answered = append(answered, w)
		} else {
			waits = append(waits, w)
		}
	}
	clear(s.waits[len(waits):])
	s.waits = waits
	for _, w := range answered {
		a := <-w.waiter.result
		w.answer(a.lease, a.err)
	}
}

// settle answers the first thing that the owner has started; it reports whether there
// was one.
func (s *Simulated) settle() bool {
	switch {
	case len(s.sizing) > 0:
		m := s.sizing[0]
		s.sizing = s.sizing[1:]
		found := lookUp(m.spec, s.store)
		s.o.do(func(*owner) { m.sized(found) })
	case len(s.launched) > 0:
		p := s.launched[0]
		s.launched = s.launched[1:]
		w := &simulatedWorker{}
		s.workers[w] = p
		s.o.do(func(*owner) { p.launched(w) })
		s.o.do(func(*owner) { p.loaded() })
	case len(s.stopped) > 0:
		p := s.stopped[0]
		s.stopped = s.stopped[1:]
		s.o.do(func(*owner) { p.exited(nil) })
	default:
		return false
	}
	return true
}

func (s *Simulated) size(m *model) { s.sizing = append(s.sizing, m) }

func (s *Simulated) launch(_ context.Context, p *process, _ worker.Spec) {
	s.launched = append(s.launched, p)
}

func (s *Simulated) stop(w worker.Worker, _ time.Duration) {
	if p := s.workers[w]; p != nil {
		delete(s.workers, w)
		s.stopped = append(s.stopped, p)
	}
}

func (s *Simulated) suspend(worker.Worker) {}
func (s *Simulated) proceed(worker.Worker) {}
func (s *Simulated) learn(r record)        { s.store.put(r) }

// simulatedWorker is a worker without a process. The simulation ends its requests itself.
type simulatedWorker struct {
	worker.Worker
	work uint64
}

func (w *simulatedWorker) WorkCount() uint64 {
	w.work++
	return w.work
}
