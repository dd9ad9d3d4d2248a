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
	// id is the seq of the request that got it.
	id      uint64
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
	released bool
	// silentSince is when the request began to wait for audio; zero if it does
	// not.
	silentSince time.Time
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
	l.mgr.post(func(*owner) { l.pause() })
}

// Silent tells that the request waits for audio now, or does no more. Who waits
// for long loses the lease to others that wait for one, see
// Options.SilenceLimit: Cause is ErrSilent then.
func (l *Lease) Silent(waits bool) {
	l.mgr.post(func(*owner) { l.setWaitingForAudio(waits) })
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
	m.stats.requests++
	m.stats.served++
	m.stats.latency += o.now.Sub(l.arrived)
	m.stats.lastUsed = o.now
	if !l.live {
		m.stats.addService(l.workedFor(o.now))
	}
	reason := errs.ReasonOf(err)
	if err != nil && reason != errs.Cancelled {
		m.stats.errors++
	}
	if err == nil {
		m.failures, m.crashLoop = 0, false
	}
	if !l.held() {
		return
	}
	if hung, stalled := p.leaseEnded(l, reason); hung {
		killHung(m.spec.Name, stalled).carryOut(o)
	}
	l.drop()
	p.lastUsed = o.now
	p.stopIfDrained()
}

// held reports whether the lease was neither released nor taken away.
func (l *Lease) held() bool {
	_, held := l.proc.leases[l]
	return held
}

// end takes the lease away; its request must end with err.
func (l *Lease) end(err *errs.Error) {
	l.cause.Store(err)
	close(l.done)
	l.drop()
}

// drop removes a lease from its process.
func (l *Lease) drop() {
	if !l.held() {
		return
	}
	delete(l.proc.leases, l)
	l.proc.resetHandoverBackoff()
	if l.pauses == 0 {
		l.proc.working--
	}
	l.resumed()
}

func (l *Lease) pause() {
	if !l.held() {
		return
	}
	l.pauses++
	if l.pauses == 1 {
		p := l.proc
		now := p.model.now
		l.worked += now.Sub(l.working)
		p.observeWork()
		if now.Sub(l.working) >= p.model.spec.ProgressTimeout/quickShare {
			p.addStall(l.working, now)
		}
		p.working--
		return
	}
	// A resume that waits for cores needs none any more.
	if l.resumed() {
		l.pauses--
	}
}

// resume ends a pause, or queues its end until there are cores.
func (o *owner) resume(w *waiter) {
	l := w.lease
	w.model = l.proc.model
	switch {
	case !l.held() && l.Cause() != nil:
		w.resolve(admission{err: l.Cause()})
	case !l.held() || l.pauses == 0:
		w.resolve(admission{lease: l})
	case l.pauses > 1:
		l.pauses--
		w.resolve(admission{lease: l})
	default:
		w.priority = w.model.spec.Priority
		o.enqueue(w)
	}
}

// resumed ends the waits to resume the lease. It reports whether there were any.
func (l *Lease) resumed() bool {
	found := false
	for _, w := range slices.Clone(l.proc.model.queue) {
		if w.lease == l {
			found = true
			w.resolve(admission{lease: l})
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

// addService adds a lease's time at work to the running mean.
func (s *stats) addService(d time.Duration) {
	if s.service == 0 {
		s.service = d
		return
	}
	s.service += (d - s.service) / 8
}
