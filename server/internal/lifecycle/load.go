package lifecycle

import (
	"context"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// unknownBytes is reserved for a model of which no size is known at all.
const unknownBytes = 64 << 20

// size is what is known of a model's bytes before a load.
type size struct {
	estimated int64
	key       string
	learned   record
	// fresh: looked up since the last load ended, so a load may rely on it.
	fresh bool
	// looking: a look-up is under way.
	looking bool
}

// sizing is the result of a look-up.
type sizing struct {
	estimated int64
	key       string
	learned   record
	err       error
}

// lookUp finds out a model's size and what earlier runs taught. It may read the
// disk: never on the owner goroutine.
func lookUp(spec ModelSpec, learned *store) sizing {
	s := sizing{key: "model:" + spec.Name}
	if spec.Fingerprint != nil {
		if key := spec.Fingerprint(); key != "" {
			s.key = key
		}
	}
	if spec.Estimate != nil {
		s.estimated, s.err = spec.Estimate()
	}
	s.learned = learned.get(s.key)
	return s
}

// required is what a load reserves, and where the number is from. What was
// declared goes before what was estimated; a peak that was really seen wins
// over both when it is larger, since a model that grew once will grow again. A
// peak above the whole budget reserves all of it: the model loads alone, since
// one leak must not shut it.
func (o *owner) required(m *model) (int64, string) {
	need, source := m.spec.DeclaredBytes, "declared"
	if need <= 0 {
		need, source = m.size.estimated, "estimated"
	}
	if need <= 0 {
		need = unknownBytes
	}
	if peak := min(m.size.learned.peak(), max(need, o.budget)); peak > need {
		need, source = peak, "learned"
	}
	return need, source
}

// preview takes note of what was found before the first request, for display
// and planning. Errors are left to the first load.
func (o *owner) preview(m *model, s sizing) {
	if m.proc == nil && !m.size.fresh && s.err == nil {
		m.size.estimated, m.size.key, m.size.learned = s.estimated, s.key, s.learned
	}
}

// sized takes note of a look-up and answers those whom it dooms.
func (o *owner) sized(m *model, s sizing) {
	m.size.looking = false
	m.size.estimated, m.size.key, m.size.learned = s.estimated, s.key, s.learned
	if m.proc != nil {
		return
	}
	if s.err != nil {
		err := errs.From(s.err).With("model", m.spec.Name)
		if m.failure == nil || !o.now.Before(m.failure.retryAt) {
			o.fail(m, err, true)
		}
		o.refuseAll(m, err)
		return
	}
	if f := m.failure; f != nil && o.now.Before(f.retryAt) && !f.sizing && f.key == s.key {
		o.refuseAll(m, o.cooldownError(m))
		return
	}
	m.size.fresh = true
	for _, w := range append([]*waiter(nil), m.queue...) {
		o.refuseDoomed(w, 0)
	}
}

// cooldownError tells why a failed model is not tried again yet.
func (o *owner) cooldownError(m *model) *errs.Error {
	f := m.failure
	left := max(f.retryAt.Sub(o.now), time.Millisecond)
	return errs.New(errs.LoadCooldown, "model %q is not tried again for %s, after %d failures in a row; the last was %s: %s",
		m.spec.Name, round(left), f.count, errs.ReasonName(f.err.Reason()), f.err.Message()).
		WithRetryAfter(left).
		WithCause(f.err).
		With("model", m.spec.Name).
		With("cause", errs.ReasonName(f.err.Reason())).
		With("cause_message", f.err.Message())
}

// fail puts a model into its cool-down.
func (o *owner) fail(m *model, err *errs.Error, sizing bool) {
	m.failures++
	f := &failure{err: err, at: o.now, count: m.failures, key: m.size.key, sizing: sizing}
	f.retryAt = o.now.Add(o.cooldown(f.count - 1))
	m.failure = f
	m.size.fresh = false
	o.announce(m, change{err: err, detail: err.Message()})
}

// cooldown is how long a model rests after so many failures before the last.
func (o *owner) cooldown(before int) time.Duration {
	cool := o.opts.CooldownBase
	for i := 0; i < before && cool < o.opts.CooldownMax; i++ {
		cool *= 2
	}
	return min(cool, o.opts.CooldownMax)
}

// launch reserves a model's bytes and starts its worker.
func (o *owner) launch(m *model, need int64) {
	free := o.budget - o.used()
	ctx, cancel := context.WithCancel(context.Background())
	m.launches++
	p := &process{
		model:    m,
		cancel:   cancel,
		reserved: need,
		started:  o.now,
		leases:   map[*Lease]struct{}{},
		launch:   m.launches,
	}
	m.proc, m.failure = p, nil
	spec := m.spec.Worker
	if spec.MemoryLimitBytes == 0 {
		spec.MemoryLimitBytes = hardLimit(max(need, free))
	}
	o.announce(m, change{detail: "loading"})
	o.observeMemory(p)
	o.fx.launch(ctx, p, spec)
}

// hardLimit is the kernel's limit on a worker: its reservation, the part of the
// budget that is free besides at its launch, and some room, because RLIMIT_DATA
// counts what is mapped (stacks of threads, arenas), not what is resident.
// Sampling holds the budget; this is the backstop for a worker that outruns it,
// in bytes that others do not hold. It stays as it is while the worker lives: one
// that shall have what was freed later must be loaded again.
func hardLimit(room int64) int64 { return room + max(room/4, 512<<20) }

// loaded takes note of a load that succeeded.
func (o *owner) loaded(p *process) {
	m := p.model
	if p.phase != phaseLoading {
		return
	}
	p.phase, p.readyAt, p.lastUsed = phaseReady, o.now, o.now
	p.alive(o.now)
	took := o.now.Sub(p.started)
	m.stats.loads++
	m.doomedSince, m.revival.due = time.Time{}, time.Time{}
	if !m.looping {
		m.failures = 0
	}
	m.pinned = m.pinned || m.spec.Pinned
	m.size.learned = m.size.learned.withLoad(took, o.now)
	o.fx.learn(m.size.learned)
	for _, w := range append([]*waiter(nil), m.queue...) {
		if w.kind == waitLoad {
			m.pinned = m.pinned || w.pin
			o.resolve(w, admission{})
			continue
		}
		w.owed = true
		p.awaited = true
	}
	o.opts.Observer.LoadEnded(m.spec.Name, took, nil)
	o.announce(m, change{detail: "loaded in " + round(took).String()})
}

// loadFailed takes note of a load that did not succeed. The process is gone or
// being ended.
func (o *owner) loadFailed(p *process, err error) {
	if p.phase != phaseLoading {
		return
	}
	p.phase = phaseStopping
	p.end = &ending{cause: errs.From(err).With("model", p.model.spec.Name)}
}

// exited takes note of a process that is reaped: its bytes come back now.
func (o *owner) exited(p *process, err error) {
	m := p.model
	p.cancel()
	m.proc = nil
	m.size.fresh = false
	o.learnPeak(p)
	wasLoading := p.readyAt.IsZero()
	reason, detail, cause := o.whyExited(p, errs.From(err))
	if cause != nil {
		o.failLeases(p, cause)
	}
	if wasLoading {
		o.endedLoading(p, cause)
	}
	if reason != gatewayv1.EvictionReason_EVICTION_REASON_UNSPECIFIED {
		o.evicted(m, p, reason, detail)
	}
	o.announce(m, change{eviction: reason, detail: detail})
	o.lost(p, reason)
	if !wasLoading && isCrash(reason) {
		o.countCrash(m, cause)
	}
	o.opts.Observer.MemoryChanged(m.spec.Name, 0, 0, p.peak)
	for _, u := range m.unloaders {
		u <- p.charged()
	}
	m.unloaders = nil
}

// whyExited tells why a process is gone: because it was told to, or, if it was
// not or was still to finish its leases, because it crashed.
func (o *owner) whyExited(p *process, exit *errs.Error) (gatewayv1.EvictionReason, string, *errs.Error) {
	if p.phase == phaseStopping {
		cause := p.end.cause
		if cause != nil && p.end.detail == "" {
			return p.end.reason, cause.Message(), cause
		}
		return p.end.reason, p.end.detail, cause
	}
	if exit == nil {
		exit = errs.New(errs.EngineCrashed, "the worker of model %q ended unexpectedly", p.model.spec.Name)
	}
	p.end = nil
	return gatewayv1.EvictionReason_EVICTION_REASON_CRASHED, exit.Message(), exit.With("model", p.model.spec.Name)
}

// endedLoading answers those who waited for a load that ended without success.
func (o *owner) endedLoading(p *process, cause *errs.Error) {
	m := p.model
	result := cause
	if cause == nil {
		result = errs.New(errs.Cancelled, "the load of model %q was given up", m.spec.Name)
	}
	o.opts.Observer.LoadEnded(m.spec.Name, o.now.Sub(p.started), result)
	if cause == nil {
		return
	}
	o.fail(m, cause, false)
	o.refuseAll(m, cause)
}

// countCrash takes note of a crash, and of a crash loop.
func (o *owner) countCrash(m *model, cause *errs.Error) {
	m.crashes = append(m.crashes, o.now)
	for len(m.crashes) > 0 && o.now.Sub(m.crashes[0]) > o.opts.CrashWindow {
		m.crashes = m.crashes[1:]
	}
	if len(m.crashes) < o.opts.CrashLimit {
		return
	}
	m.crashes = nil
	o.fail(m, cause, false)
	m.looping = true
	o.refuseAll(m, cause)
}

func isCrash(r gatewayv1.EvictionReason) bool {
	return r == gatewayv1.EvictionReason_EVICTION_REASON_CRASHED || r == gatewayv1.EvictionReason_EVICTION_REASON_HUNG
}

// learnPeak remembers how much the process held at most.
func (o *owner) learnPeak(p *process) {
	if p.peak <= 0 {
		return
	}
	m := p.model
	// A load that was cut short says nothing about the peak, unless it was
	// already more than expected.
	if p.readyAt.IsZero() && p.peak <= p.reserved {
		return
	}
	m.size.learned = m.size.learned.withPeak(p.peak, o.now)
	o.fx.learn(m.size.learned)
}
