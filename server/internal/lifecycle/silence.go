package lifecycle

import (
	"errors"
	"slices"
	"time"
)

// ErrSilent is in the chain of a request's error if the request lost its lease
// because it sent no audio, or its client was gone, while other requests waited.
var ErrSilent = errors.New("no audio came while other requests waited")

// setWaiting records that a request began, or ceased, to wait.
func (l *Lease) setWaiting(why Waiting, waits bool) {
	switch why {
	case ForClient:
		l.absent = waits
	case ForAudio:
		l.silentSince = time.Time{}
		if waits && l.live {
			l.silentSince = l.proc.model.now
		}
	}
}

// endSilence ends live leases whose requests have sent no audio for too long, or
// have no client, as far as others wait for their places: requests for the same
// model, or models that need its memory. While no other request waits, a stream
// may be silent, and its client may be gone.
func (p *planner) endSilence() {
	for i := range p.models {
		if m := &p.models[i]; m.proc != nil {
			p.endSilenceOf(m)
		}
	}
}

func (p *planner) endSilenceOf(m *modelView) {
	for _, l := range p.silentLeases(m.proc, p.placesWanted(m)) {
		err := silentError(m.name, p.now.Sub(l.silentSince))
		if l.absent {
			err = absentError(m.name)
		}
		p.decide(endSilent{model: m.name, lease: l.id, err: err})
	}
}

// placesWanted is how many of a model's leases prevent others from running.
func (p *planner) placesWanted(m *modelView) int {
	waiting, kept, place := 0, 0, p.keptPlace(m)
	for _, w := range m.queue {
		if w.kind == waitLease {
			waiting++
			if place.withheld(w.caller, p.now) {
				kept = 1 // a free place that it does not get
			}
		}
	}
	switch {
	case m.proc.phase == phaseDraining && m.proc.handover.forModel != "":
		return len(m.proc.leases)
	case m.proc.phase == phaseDraining && waiting > 0: // for the next load
		return len(m.proc.leases)
	case m.proc.phase != phaseReady:
		return 0
	}
	return max(0, waiting+kept+len(m.proc.leases)-m.maxConcurrency)
}

// silentLeases returns up to n leases without a client, or that have been silent
// for too long, the longest silent first.
func (p *planner) silentLeases(proc *processView, n int) []leaseView {
	var silent []leaseView
	for _, l := range proc.leases {
		if l.absent || !l.silentSince.IsZero() && p.now.Sub(l.silentSince) >= p.limits.silence {
			silent = append(silent, l)
		}
	}
	slices.SortStableFunc(silent, func(a, b leaseView) int {
		if a.absent != b.absent {
			if a.absent {
				return -1
			}
			return 1
		}
		return a.silentSince.Compare(b.silentSince)
	})
	return silent[:min(n, len(silent))]
}
