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
// neither for its idle time nor for memory. It must be released before the
// caller learns that its request has ended.
//
// A lease is lost if its worker crashes, hangs, is ended because it outgrew the
// budget or because the server shuts down, or if it waits for audio for too
// long while other requests wait; see Run.
type Lease struct {
	mgr     *Manager
	proc    *process
	worker  worker.Worker
	arrived time.Time
	granted time.Time
	load    time.Duration
	once    sync.Once

	// life ends when the lease is lost; its cause is why.
	life context.Context
	lose context.CancelCauseFunc

	// The rest belongs to the owner. The request is at work while pauses is 0;
	// working is since when.
	pauses   int
	working  time.Time
	worked   time.Duration // before that
	live     bool
	silent   time.Time // since when audio is waited for; zero if it is not
	released bool
}

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
// progress is expected of it. The model stays leased. With forAudio it waits for
// audio, and loses its lease to other requests if that takes longer than
// Options.SilenceLimit.
//
// The returned function ends the pause and must be called once. Pauses add up,
// e.g. one for each direction of a stream. The function that ends the last one
// waits in the queue until there are cores for the model; it returns why the
// lease was lost if it was.
func (l *Lease) Pause(forAudio bool) (resume func(context.Context) error) {
	l.mgr.post(func(o *owner) {
		o.pauseLease(l)
		if forAudio {
			o.hush(l, true)
		}
	})
	return func(ctx context.Context) error {
		w := l.mgr.newWaiter(ctx, waitResume)
		w.lease = l
		_, err := l.mgr.await(ctx, w, func(o *owner) {
			if forAudio {
				o.hush(l, false)
			}
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
	case !held && l.life.Err() != nil:
		o.resolve(w, admission{err: context.Cause(l.life)})
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

// failLeases ends the leases of a process that has ended or will be ended. It must be
// called before the process is told to end, because then streams break and their
// requests need the cause.
func (o *owner) failLeases(p *process, cause *errs.Error) {
	if !errors.Is(cause, worker.ErrEnded) {
		cause = cause.WithCause(worker.ErrEnded)
	}
	for _, w := range slices.Clone(p.model.queue) {
		if w.kind == waitResume {
			o.resolve(w, admission{err: cause})
		}
	}
	for l := range p.leases {
		l.lose(cause)
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
