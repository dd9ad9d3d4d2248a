package router

import (
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// tries records why the candidates of a request did not answer.
type tries struct {
	errs  []*errs.Error // of candidates that were tried, or refused by their breaker, in order
	names []string      // of the same candidates
	skips []*errs.Error // of candidates that the request or the configuration excludes
	// final is true if the last error would be that of any candidate.
	final bool
	// reason is why the first candidate did not answer.
	reason gatewayv1.FallbackReason
}

// skipped records a candidate that is excluded.
func (t *tries) skipped(why *errs.Error) {
	t.skips = append(t.skips, why)
	t.setReason(fallbackReason(why))
}

// refused records a candidate whose breaker is open.
func (t *tries) refused(model string, why *errs.Error) {
	t.add(model, why)
	t.setReason(gatewayv1.FallbackReason_FALLBACK_REASON_BREAKER_OPEN)
}

// failed records a candidate that was tried.
func (t *tries) failed(model string, err error) {
	t.add(model, errs.From(err))
	t.final = !mayFallBack(err)
	t.setReason(fallbackReason(err))
}

func (t *tries) add(model string, e *errs.Error) {
	t.errs = append(t.errs, e)
	t.names = append(t.names, model)
}

func (t *tries) setReason(reason gatewayv1.FallbackReason) {
	if t.reason == gatewayv1.FallbackReason_FALLBACK_REASON_UNSPECIFIED {
		t.reason = reason
	}
}

// error returns the error of the request. Its metadata has the reasons of the
// other candidates.
func (t *tries) error() error {
	if len(t.errs) == 0 {
		return t.skips[0]
	}
	best := t.best()
	e := t.errs[best]
	if best > 0 && !t.final {
		e = t.withFirstCause(best)
	}
	for i, other := range t.errs {
		switch i {
		case best:
		case 0:
			e = e.With("primary."+t.names[i], errs.ReasonName(other.Reason()))
		default:
			e = e.With("fallback."+t.names[i], errs.ReasonName(other.Reason()))
		}
	}
	return e
}

// best returns the index of the error that helps the caller most. That is an
// error that any candidate would return; else the first one, unless a retry does
// not help there but helps with a later candidate.
func (t *tries) best() int {
	if t.final {
		return len(t.errs) - 1
	}
	if first := t.errs[0].Reason(); errs.Retryable(first) || first == errs.DeadlineExceeded {
		return 0
	}
	return max(0, slices.IndexFunc(t.errs, func(e *errs.Error) bool { return errs.Retryable(e.Reason()) }))
}

// withFirstCause returns the error of a later candidate, with the error of the
// first one in its message.
func (t *tries) withFirstCause(i int) *errs.Error {
	first, e := t.errs[0], t.errs[i]
	why := errs.ReasonName(first.Reason())
	if first.Reason() != errs.Internal { // the text of internal errors is for the log only
		why += ": " + first.Message()
	}
	out := errs.New(e.Reason(), "model %q failed (%s), and so did %q: %s", t.names[0], why, t.names[i], e.Message()).
		WithRetryAfter(e.RetryAfter()).WithCause(e)
	for key, value := range e.Metadata() {
		out = out.With(key, value)
	}
	return out
}
