package lifecycle

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The explanations of what the planner decides, for users.

// waitsFor returns what the requests for a model wait for.
func (s *snapshot) waitsFor(m *modelView) string {
	switch p := m.proc; {
	case p == nil && m.sizeKnown:
		return "its memory is held by " + s.holders(m, m.demanded())
	case p == nil:
		return "the size of its file was being determined"
	case p.phase == phaseLoading:
		return "it was loading"
	case p.unloading():
		return "it was being unloaded"
	case len(p.leases) >= m.maxConcurrency:
		return fmt.Sprintf("it was running %d requests, its max_concurrency", len(p.leases))
	case len(m.queue) > 0 && s.keptPlace(m).withheld(m.queue[0].caller, s.now):
		return fmt.Sprintf("it was running %d requests of the same caller, and the last of its max_concurrency places is kept for others", len(p.leases))
	default:
		return "other models were using the CPU cores"
	}
}

// holders lists the models that hold memory, and why they keep it from another
// one that is demanded with a priority.
func (s *snapshot) holders(from *modelView, priority gatewayv1.Priority) string {
	var names []string
	for i := range s.models {
		if m := &s.models[i]; m.proc != nil && m != from {
			names = append(names, m.name+" ("+humanBytes(m.charged())+", "+s.whyKept(m, priority)+")")
		}
	}
	return strings.Join(names, ", ")
}

// whyKept returns why a resident model stays when a model is demanded with a
// priority.
func (s *snapshot) whyKept(m *modelView, priority gatewayv1.Priority) string {
	return cmp.Or(keptBecause(s.resident(m, priority), priority), "idle; its eviction is not needed or not enough")
}

// evictedBecause returns why a model may be evicted although it is loaded.
func evictedBecause(r resident, now time.Time) string {
	since := round(now.Sub(r.lastUsed))
	switch {
	case r.lastUsed.IsZero():
		return "no request waits for its load any more, priority " + priorityName(r.priority)
	case r.pastIdle:
		return fmt.Sprintf("past its idle timeout, unused for %s", since)
	default:
		return fmt.Sprintf("idle for %s, priority %s", since, priorityName(r.priority))
	}
}

// chosenBecause returns why a model is evicted before others. evictable are the
// models that may be evicted, in order.
func chosenBecause(r resident, evictable []resident, now time.Time) string {
	why := evictedBecause(r, now)
	if !r.pastIdle && r.name == evictable[0].name {
		why += ", the cheapest to load again among the evictable models of the lowest priority"
	}
	return why
}

// pressureDetail is for a model that is evicted or handed over for another one,
// whose first request has waited for so long.
func pressureDetail(victim resident, forModel string, waited time.Duration, now time.Time) string {
	if victim.busy() {
		return fmt.Sprintf("handover: model %s had waited %s for the memory; the current requests could end first", forModel, round(waited))
	}
	return "model " + forModel + " needed the memory; " + evictedBecause(victim, now)
}

func errUnknown(name string) *errs.Error {
	return errs.New(errs.ModelNotFound, "no model %q is configured", name).With("model", name)
}

// waitedTooLongError is for a request whose wait reached the longest allowed.
func (s *snapshot) waitedTooLongError(m *modelView, waited time.Duration) *errs.Error {
	reason := errs.QueueFull
	if m.proc == nil {
		reason = errs.MemoryBusy
	}
	return errs.New(reason, "the request waited %s for model %q, the longest allowed: %s",
		round(waited), m.name, s.waitsFor(m)).With("model", m.name)
}

// deadlineError is for a request whose deadline passed while it waited.
func (s *snapshot) deadlineError(m *modelView, waited time.Duration, cause error) *errs.Error {
	return errs.New(errs.DeadlineExceeded, "the deadline passed after the request had waited %s for model %q: %s",
		round(waited), m.name, s.waitsFor(m)).WithCause(cause).With("model", m.name)
}

// lateError is for a request that could not meet its deadline: load and queue
// are the times expected, left is the time to the deadline.
func lateError(model string, load, queue, left time.Duration) *errs.Error {
	advice := "allow at least " + round(load+queue+time.Second).String()
	var needs string
	switch {
	case load == 0:
		needs = fmt.Sprintf("the requests before this one occupy model %q for about %s", model, round(queue))
	case queue == 0:
		needs = fmt.Sprintf("model %q needs about %s to load", model, round(load))
		advice += ", or load the model beforehand"
	default:
		needs = fmt.Sprintf("model %q needs about %s to load and %s for the requests before this one", model, round(load), round(queue))
		advice += ", or load the model beforehand"
	}
	return errs.New(errs.DeadlineExceeded, "%s, but the deadline is in %s: %s", needs, round(left), advice).With("model", model)
}

// queueFullError is for the request above the bound of a queue.
func queueFullError(m *modelView) *errs.Error {
	wait := min(max(m.queueTime(len(m.queue)), time.Second), time.Minute)
	return errs.New(errs.QueueFull,
		"the queue of model %q is full, at %s (max_queue); try again in about %s", m.name, count(m.maxQueue, "request"), wait.Round(time.Second)).
		WithRetryAfter(wait).With("model", m.name)
}

// memoryBusyError is for a request for which no memory becomes free in time.
// priority is that of the demand. If ever is true, memory can become free at a
// later time.
func (s *snapshot) memoryBusyError(m *modelView, priority gatewayv1.Priority, at time.Time, ever bool) *errs.Error {
	retry, advice := 30*time.Second, "unload or unpin one of them"
	if ever {
		retry = max(at.Sub(s.now), time.Second)
		advice = "try again in " + round(retry).String() + ", or unload one of them"
	}
	return errs.New(errs.MemoryBusy, "model %q needs %s and %s of the memory budget of %s are free; the rest is held by %s: %s",
		m.name, humanBytes(m.required), humanBytes(s.free()), humanBytes(s.limits.budget), s.holders(m, priority), advice).
		WithRetryAfter(retry).With("model", m.name)
}

// exceedsBudgetError is for a model that can never fit. source is where the
// number of bytes is from.
func exceedsBudgetError(model string, need int64, source string, budget int64) *errs.Error {
	return errs.New(errs.ModelExceedsBudget,
		"model %q needs %s (%s) but the whole memory budget is %s: raise MAX_MEMORY_MB to at least %d, or use a smaller model or context",
		model, humanBytes(need), source, humanBytes(budget), (need+(1<<20)-1)>>20).
		With("model", model)
}

// grownDetail and grownError are for a model that is ended because it outgrew
// its reservation.
func grownDetail(p *processView) string {
	return "it grew to " + humanBytes(p.measured) + ", " + humanBytes(p.growth()) + " more than were reserved"
}

func grownError(model string, p *processView, budget int64) *errs.Error {
	next := "the next load reserves at least " + humanBytes(p.peak)
	if p.peak >= budget {
		next = "the next load reserves the whole budget and evicts all other models; if the model does not leak memory, raise MAX_MEMORY_MB"
	}
	return errs.New(errs.MemoryBusy,
		"model %q was ended: it grew to %s where %s were reserved, and the memory budget of %s was exceeded; %s",
		model, humanBytes(p.measured), humanBytes(p.reserved), humanBytes(budget), next).
		With("model", model)
}

// hungError is for the requests of a worker that made no progress.
func hungError(model string, stalled time.Duration) *errs.Error {
	return errs.New(errs.EngineCrashed, "the worker of model %q made no progress for %s and was ended; the next request loads the model again",
		model, round(stalled)).With("model", model)
}

// silentError is for a request that sent no audio.
func silentError(model string, silent time.Duration) *errs.Error {
	return errs.New(errs.DeadlineExceeded, "the stream sent no audio for %s while other requests waited for model %q",
		round(silent), model).WithCause(ErrSilent).With("model", model)
}

// absentError is for a request whose client is gone.
func absentError(model string) *errs.Error {
	return errs.New(errs.QueueFull, "the client was gone while other requests waited for model %q: begin again", model).
		WithCause(ErrSilent).With("model", model)
}

// cooldownError is for a request for a failed model that is not tried again yet.
func cooldownError(model string, f *failure, now time.Time) *errs.Error {
	left := max(f.retryAt.Sub(now), time.Millisecond)
	failed := "failed"
	if f.count > 1 {
		failed = fmt.Sprintf("failed %d times in a row", f.count)
	}
	return errs.New(errs.LoadCooldown, "model %q %s and is tried again in %s; the last failure was %s: %s",
		model, failed, round(left), errs.ReasonName(f.err.Reason()), f.err.Message()).
		WithRetryAfter(left).
		WithCause(f.err).
		With("model", model).
		With("cause", errs.ReasonName(f.err.Reason())).
		With("cause_message", f.err.Message())
}

// round makes a duration readable.
func round(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

// count returns a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func humanBytes(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

func stateName(s gatewayv1.ModelState) string {
	return strings.TrimPrefix(s.String(), "MODEL_STATE_")
}

func unloadReasonName(r gatewayv1.EvictionReason) string {
	return strings.TrimPrefix(r.String(), "EVICTION_REASON_")
}

func priorityName(p gatewayv1.Priority) string {
	return strings.TrimPrefix(p.String(), "PRIORITY_")
}
