package lifecycle

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// WorkerID identifies a worker: each launch of a model's process has another
// number.
type WorkerID struct {
	// Model is the model's name.
	Model string
	// Launch counts the launches of the model, from 1.
	Launch int
}

// LeaseInfo says which worker runs a request and how long the request waited.
type LeaseInfo struct {
	// Worker identifies the worker.
	Worker WorkerID
	// Engine is the name of the model's engine.
	Engine string
	// QueueDuration is how long the request waited, without the load.
	QueueDuration time.Duration
	// LoadDuration is how long the request waited for the model to load; 0 if
	// the model was loaded.
	LoadDuration time.Duration
}

// Lease is the right to use a model. While it is held the model is not evicted,
// neither for its idle timeout nor for memory. It must be released before the
// caller learns that its request has ended.
//
// A lease is lost if its worker crashes, hangs, is ended because it outgrew the
// budget or because the server shuts down, or if it waits for audio for too
// long while other requests wait; see Run.
type Lease struct {
	// id is the seq of the request that got it.
	id      uint64
	mgr     *Manager
	proc    *process
	worker  worker.Worker
	arrived time.Time
	granted time.Time
	load    time.Duration
	// priority is that of the request.
	priority gatewayv1.Priority
	once     sync.Once

	// life ends when the lease is lost; its cause is why.
	life context.Context
	lose context.CancelCauseFunc

	// The rest belongs to the owner. The request is at work while pauses is 0;
	// working is since when.
	pauses   int
	working  time.Time
	worked   time.Duration // before that
	live     bool
	caller   string
	turn     turn // the next one of its caller
	weight   int  // of its caller
	released bool
	// silentSince is when the request began to wait for audio; zero if it does
	// not.
	silentSince time.Time
	// absent: the client is gone, and may come back.
	absent bool
}

// Waiting is what a request waits for.
type Waiting int

const (
	// ForReader says that the client does not read, or that there is no room for the
	// output.
	ForReader Waiting = iota
	// ForAudio says that the client sends no audio.
	ForAudio
	// ForClient says that the client is gone, and may come back.
	ForClient
)

// Info returns what the lease was granted on.
func (l *Lease) Info() LeaseInfo {
	spec := l.proc.model.spec
	return LeaseInfo{
		Worker:        WorkerID{Model: spec.Name, Launch: l.proc.launch},
		Engine:        spec.Worker.Engine,
		QueueDuration: l.granted.Sub(l.arrived) - l.load,
		LoadDuration:  l.load,
	}
}

// Run opens a stream to the worker for the request. The errors of Run and of the
// stream say why the request failed. If the lease is lost that is ENGINE_CRASHED
// if the worker crashed or made no progress, MEMORY_BUSY if it was ended because
// it outgrew the budget, DRAINING if the server shuts down, and ErrSilent is in
// the error's chain if the request sent no audio. If the worker has ended,
// worker.ErrEnded is in the chain.
func (l *Lease) Run(ctx context.Context) (enginev1.Engine_RunClient, error) {
	run, cancel := context.WithCancel(ctx)
	context.AfterFunc(l.life, cancel)
	stream, err := l.worker.Run(run)
	if err != nil {
		cancel()
		return nil, l.explain(err)
	}
	return &leasedStream{Engine_RunClient: stream, lease: l}, nil
}

// explain returns why a stream failed. If the manager ended the worker, the reason
// was set before, so there is nothing to wait for. Otherwise err is what the worker
// explained.
func (l *Lease) explain(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if lost := context.Cause(l.life); lost != nil {
		return lost
	}
	return err
}

// leasedStream is the stream of a request whose errors name the loss of its lease.
type leasedStream struct {
	enginev1.Engine_RunClient
	lease *Lease
}

// Send implements enginev1.Engine_RunClient.
func (s *leasedStream) Send(req *enginev1.RunRequest) error {
	return s.lease.explain(s.Engine_RunClient.Send(req))
}

// Recv implements enginev1.Engine_RunClient.
func (s *leasedStream) Recv() (*enginev1.RunResponse, error) {
	resp, err := s.Engine_RunClient.Recv()
	return resp, s.lease.explain(err)
}

// Release gives the lease back and counts the request as ended with err. Only
// the first call has an effect.
func (l *Lease) Release(err error) {
	l.once.Do(func() {
		l.mgr.post(func(o *owner) { o.release(l, err) })
	})
}

// Pause says that the request waits for its client: it holds no cores, and no
// progress is expected of it. The model stays leased. One that waits for audio
// loses its lease to other requests if that takes longer than
// Options.SilenceLimit, and one whose client is gone at once.
//
// The returned function ends the pause and must be called once. Pauses add up,
// e.g. one for each direction of a stream. The function that ends the last one
// waits in the queue until there are cores for the model; it returns why the
// lease was lost if it was.
func (l *Lease) Pause(why Waiting) (resume func(context.Context) error) {
	l.mgr.post(func(*owner) {
		l.pause()
		l.setWaiting(why, true)
	})
	return func(ctx context.Context) error {
		w := l.mgr.newWaiter(ctx, waitResume)
		w.lease = l
		_, err := l.mgr.await(ctx, w, func(o *owner) {
			l.setWaiting(why, false)
			o.resume(w)
		})
		return err
	}
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

// end takes the lease away; its request fails with err.
func (l *Lease) end(err *errs.Error) {
	l.lose(err)
	l.drop()
}

// drop removes a lease from its process.
func (l *Lease) drop() {
	if !l.held() {
		return
	}
	p := l.proc
	delete(p.leases, l)
	p.resetHandoverBackoff()
	if l.pauses == 0 {
		p.working--
	}
	l.resumed()
	p.proceedIfNoneWaits()
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
		if now.Sub(l.working) >= p.model.spec.ProgressTimeout/quickDivisor {
			p.addStall(l.working, now)
		}
		p.working--
		return
	}
	// A resume that waits for cores needs none any more.
	if l.resumed() {
		l.pauses--
		l.proc.proceedIfNoneWaits()
	}
}

// resume ends a pause, or queues its end until there are cores.
func (o *owner) resume(w *waiter) {
	l := w.lease
	w.model = l.proc.model
	switch {
	case !l.held() && l.life.Err() != nil:
		w.resolve(admission{err: context.Cause(l.life)})
	case !l.held() || l.pauses == 0:
		w.resolve(admission{lease: l})
	case l.pauses > 1:
		l.pauses--
		w.resolve(admission{lease: l})
	default:
		w.priority = l.rank()
		o.enqueue(w)
	}
}

// proceed lets a request work again.
func (l *Lease) proceed() {
	l.proc.working++
	l.pauses, l.working = 0, l.proc.model.now
	l.resumed()
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
