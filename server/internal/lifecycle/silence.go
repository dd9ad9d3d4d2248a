package lifecycle

import (
	"errors"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// ErrSilent is in the chain of a request's error if the request lost its lease
// because it sent no audio while other requests waited.
var ErrSilent = errors.New("no audio came while others waited")

// hush takes note of silence, or of its end.
func (o *owner) hush(l *Lease, waits bool) {
	l.silent = time.Time{}
	if waits && l.live {
		l.silent = o.now
	}
}

// endSilent ends live leases on which nothing was said for long, as far as
// others wait for their places: those of the model's own queue, or models that
// wait for its memory. Who waits for nobody may be silent.
func (o *owner) endSilent() {
	for _, m := range o.models {
		if m.proc != nil && len(m.proc.leases) > 0 {
			o.endSilentOf(m.proc)
		}
	}
}

func (o *owner) endSilentOf(p *process) {
	name := p.model.spec.Name
	for _, l := range o.silentLeases(p, o.placesWanted(p)) {
		l.lose(errs.New(errs.DeadlineExceeded, "the stream sent no audio for %s while others waited for model %q",
			round(o.now.Sub(l.silent)), name).WithCause(ErrSilent).With("model", name))
		o.drop(l)
	}
	if p.phase == phaseDraining && len(p.leases) == 0 {
		o.stop(p, o.opts.StopGrace)
	}
}

// placesWanted is how many of a process's leases stand in the way of others.
func (o *owner) placesWanted(p *process) int {
	switch {
	case p.phase == phaseDraining && p.end.forModel != nil:
		return len(p.leases)
	case p.phase != phaseReady || o.draining:
		return 0
	}
	wanted := len(p.leases) - p.model.spec.MaxConcurrency // free places, negative
	for _, w := range p.model.queue {
		if w.kind == waitLease {
			wanted++
		}
	}
	return max(0, wanted)
}

// silentLeases returns up to n leases that have been silent for too long, the
// longest silent first.
func (o *owner) silentLeases(p *process, n int) []*Lease {
	if n == 0 {
		return nil
	}
	var silent []*Lease
	for l := range p.leases {
		if !l.silent.IsZero() && o.now.Sub(l.silent) >= o.opts.SilenceLimit {
			silent = append(silent, l)
		}
	}
	slices.SortFunc(silent, func(a, b *Lease) int { return a.silent.Compare(b.silent) })
	return silent[:min(n, len(silent))]
}
