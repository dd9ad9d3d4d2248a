package lifecycle

import (
	"slices"
	"time"
)

// A model serves several requests at once. One caller gets all of these places but
// the last, as long as another caller waits for one or has used the model lately: that
// one then gets its next lease at once, however long the requests of the first one take.

// placeKept is how long the last place is kept for a caller.
const placeKept = time.Minute

// recentCallers are the two callers that got leases of a model last.
type recentCallers [2]struct {
	caller string
	at     time.Time
}

// got notes that a caller gets a lease.
func (r *recentCallers) got(caller string, now time.Time) {
	if r[0].caller != caller {
		r[1] = r[0]
	}
	r[0].caller, r[0].at = caller, now
}

// keptFrom returns until when a caller does not get the last place; zero if it does.
func (r *recentCallers) keptFrom(caller string) time.Time {
	for _, c := range r {
		if c.caller != caller && !c.at.IsZero() {
			return c.at.Add(placeKept)
		}
	}
	return time.Time{}
}

// keptPlace is the last free place of a model, while it is kept for others than one
// caller.
type keptPlace struct {
	// from is the caller that has all other places, and until is when it may get the
	// last one; zero if it may now.
	from  string
	until time.Time
}

// withheld reports whether a caller does not get the place.
func (k keptPlace) withheld(caller string, now time.Time) bool {
	return caller == k.from && now.Before(k.until)
}

// keptPlace returns the last free place of a model. While the server shuts down, it is
// kept only for those that wait already.
func (s *snapshot) keptPlace(m *modelView) keptPlace {
	if m.proc == nil || m.maxConcurrency == 1 || len(m.proc.leases) != m.maxConcurrency-1 {
		return keptPlace{}
	}
	from := m.proc.leases[0].caller
	if slices.ContainsFunc(m.proc.leases, func(l leaseView) bool { return l.caller != from }) {
		return keptPlace{}
	}
	var until time.Time
	if !s.shuttingDown {
		until = m.recent.keptFrom(from)
	}
	for i := range m.queue {
		if w := &m.queue[i]; w.kind == waitLease && w.caller != from {
			until = latest(until, w.arrival.Add(placeKept))
		}
	}
	return keptPlace{from, until}
}
