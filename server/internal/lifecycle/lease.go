package lifecycle

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// Lease is the right to use a model. While it is held the model is not evicted,
// neither by idle time nor by pressure. It must be released, before the end of
// its request is signalled to the caller.
type Lease struct {
	mgr     *Manager
	proc    *process
	worker  worker.Worker
	arrived time.Time
	granted time.Time
	load    time.Duration
	once    sync.Once

	done  chan struct{}
	cause atomic.Pointer[errs.Error]

	// The rest is the owner's. The request is at work while pauses is 0; working
	// is since when.
	pauses   int
	working  time.Time
	worked   time.Duration // before that
	live     bool
	silent   time.Time // since when audio is waited for; zero if it is not
	released bool
}

// Model returns the model's name.
func (l *Lease) Model() string { return l.proc.model.spec.Name }

// Engine returns the name of the model's engine.
func (l *Lease) Engine() string { return l.proc.model.spec.Worker.Engine }

// Worker returns the worker to run the request on.
func (l *Lease) Worker() worker.Worker { return l.worker }

// QueueDuration is how long the request waited, without the load.
func (l *Lease) QueueDuration() time.Duration { return l.granted.Sub(l.arrived) - l.load }

// LoadDuration is how long the request waited for the model to load; 0 if it
// was loaded.
func (l *Lease) LoadDuration() time.Duration { return l.load }

// Done is closed when the worker died or was taken away while leased. The
// request must then end with Cause.
func (l *Lease) Done() <-chan struct{} { return l.done }

// Cause is, once Done is closed, what the request must answer with:
// ENGINE_CRASHED if the worker died or hung, MEMORY_BUSY if it was ended
// because it outgrew the budget, DRAINING if the server was shut down. Before
// that it is nil.
func (l *Lease) Cause() error {
	if e := l.cause.Load(); e != nil {
		return e
	}
	return nil
}

// explainWait is how long Explain gives the process's end to become known after
// its stream broke.
const explainWait = time.Second

// Explain turns the error of a stream to the worker into what the request must
// answer with. A broken connection comes to light a moment before the end of
// the process that broke it: Explain waits for that moment, so that the answer
// names the signal, the exit code or the reason for which it was ended.
func (l *Lease) Explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	e := errs.From(err)
	if ctx.Err() != nil && l.Cause() == nil {
		return errs.From(ctx.Err())
	}
	if answered(err) {
		return e
	}
	switch e.Reason() {
	case errs.EngineCrashed, errs.Internal, errs.Cancelled, errs.DeadlineExceeded:
	default:
		return e
	}
	timer := l.mgr.opts.Clock.NewTimer(explainWait)
	defer timer.Stop()
	select {
	case <-l.done:
		return l.Cause()
	case <-timer.Chan():
	case <-ctx.Done():
	}
	return e
}

// answered tells whether the worker itself said what failed. Its stream was in
// order then, and there is no end of a process to wait for.
func answered(err error) bool {
	var ours *errs.Error
	if errors.As(err, &ours) { // made on this side of the stream
		return false
	}
	st, ok := status.FromError(err)
	return ok && len(st.Details()) > 0
}

// Release gives the lease back and counts the request as ended with err. Only
// the first call has an effect.
func (l *Lease) Release(err error) {
	l.once.Do(func() {
		l.mgr.post(func(o *owner) { o.release(l, err) })
	})
}

// Pause tells that the request waits for its client, e.g. for more audio: it
// holds no cores then, and no progress is expected of it. The model stays
// leased. Pauses add up, e.g. one for each direction of a stream: the request is
// at work again when each of them is ended by a Resume.
func (l *Lease) Pause() {
	l.mgr.post(func(o *owner) { o.pauseLease(l) })
}

// Silent tells that the request waits for audio now, or does no more. Who waits
// for long loses the lease to others that wait for one, see
// Options.SilenceLimit: Cause is ErrSilent then.
func (l *Lease) Silent(waits bool) {
	l.mgr.post(func(o *owner) { o.hush(l, waits) })
}

// Resume ends a pause. If it was the last one it waits in the queue until there
// are cores for the model again; otherwise, or without a pause, it returns at
// once.
func (l *Lease) Resume(ctx context.Context) error {
	w := l.mgr.newWaiter(ctx, waitResume)
	w.lease = l
	_, err := l.mgr.await(ctx, w, func(o *owner) { o.resume(w) })
	return err
}

// release takes a lease back.
func (o *owner) release(l *Lease, err error) {
	if l.released {
		return
	}
	l.released = true
	p, m := l.proc, l.proc.model
	now := o.now
	m.stats.requests++
	m.stats.served++
	m.stats.latency += now.Sub(l.arrived)
	m.stats.lastUsed = now
	if !l.live {
		m.stats.addService(l.workedFor(now))
	}
	reason := errs.ReasonOf(err)
	if err != nil && reason != errs.Cancelled {
		m.stats.errors++
	}
	if err == nil {
		m.failures, m.looping = 0, false
	}
	if _, held := p.leases[l]; !held {
		return
	}
	o.judge(p, l, reason)
	o.drop(l)
	p.lastUsed = now
	if p.phase == phaseDraining && len(p.leases) == 0 {
		o.stop(p, o.opts.StopGrace)
	}
}

// drop takes a lease off its process.
func (o *owner) drop(l *Lease) {
	p := l.proc
	if _, held := p.leases[l]; !held {
		return
	}
	delete(p.leases, l)
	p.forgive()
	if l.pauses == 0 {
		p.working--
	}
	o.resumed(l)
}

func (o *owner) pauseLease(l *Lease) {
	if _, held := l.proc.leases[l]; !held {
		return
	}
	l.pauses++
	if l.pauses == 1 {
		p := l.proc
		l.worked += o.now.Sub(l.working)
		o.observeWork(p)
		if o.now.Sub(l.working) >= p.model.spec.ProgressTimeout/quickShare {
			p.count(l.working, o.now)
		}
		p.working--
		return
	}
	// A resume that waits for cores needs none any more.
	if o.resumed(l) {
		l.pauses--
	}
}

func (o *owner) resume(w *waiter) {
	l := w.lease
	w.model = l.proc.model
	switch _, held := l.proc.leases[l]; {
	case !held && l.Cause() != nil:
		o.resolve(w, admission{err: l.Cause()})
	case !held || l.pauses == 0:
		o.resolve(w, admission{lease: l})
	case l.pauses > 1:
		l.pauses--
		o.resolve(w, admission{lease: l})
	default:
		w.priority = w.model.spec.Priority
		o.enqueue(w)
	}
}

// failLeases ends the leases of a process that is gone or goes now.
func (o *owner) failLeases(p *process, cause *errs.Error) {
	for _, w := range slices.Clone(p.model.queue) {
		if w.kind == waitResume {
			o.resolve(w, admission{err: cause})
		}
	}
	for l := range p.leases {
		l.cause.Store(cause)
		close(l.done)
		o.drop(l)
	}
}

// resumed answers those who wait to go on with a lease; false if nobody did.
func (o *owner) resumed(l *Lease) bool {
	found := false
	for _, w := range slices.Clone(l.proc.model.queue) {
		if w.lease == l {
			found = true
			o.resolve(w, admission{lease: l})
		}
	}
	return found
}

// workedFor is how long the request has been at work, without its pauses.
func (l *Lease) workedFor(now time.Time) time.Duration {
	if l.pauses > 0 {
		return l.worked
	}
	return l.worked + now.Sub(l.working)
}

// addService takes a lease's time of work into the running mean.
func (s *stats) addService(d time.Duration) {
	if s.service == 0 {
		s.service = d
		return
	}
	s.service += (d - s.service) / 8
}
