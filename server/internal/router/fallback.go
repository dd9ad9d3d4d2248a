package router

import (
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// FallbackReason says which reason for asking another model an error is;
// unspecified if it is none: what is wrong with the request itself would be
// wrong elsewhere too.
func FallbackReason(err error) gatewayv1.FallbackReason {
	switch errs.ReasonOf(err) {
	case errs.ModelFileMissing:
		return gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_FILE_MISSING
	case errs.ModelFileInvalid:
		return gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_FILE_INVALID
	case errs.EngineUnavailable:
		return gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_UNAVAILABLE
	case errs.ModelExceedsBudget:
		return gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_EXCEEDS_BUDGET
	case errs.MemoryBusy:
		return gatewayv1.FallbackReason_FALLBACK_REASON_MEMORY_BUSY
	case errs.QueueFull:
		return gatewayv1.FallbackReason_FALLBACK_REASON_QUEUE_FULL
	case errs.EngineCrashed:
		return gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED
	case errs.LoadCooldown:
		return gatewayv1.FallbackReason_FALLBACK_REASON_LOAD_COOLDOWN
	case errs.DeadlineExceeded:
		return gatewayv1.FallbackReason_FALLBACK_REASON_DEADLINE
	case errs.RateLimited:
		return gatewayv1.FallbackReason_FALLBACK_REASON_RATE_LIMITED
	case errs.Internal:
		return gatewayv1.FallbackReason_FALLBACK_REASON_INTERNAL
	default:
		return gatewayv1.FallbackReason_FALLBACK_REASON_UNSPECIFIED
	}
}

// tries remembers why candidates did not answer.
type tries struct {
	errs  []*errs.Error // of candidates that were asked, or that a breaker kept away, in order
	names []string
	skips []*errs.Error // of those that the request or the configuration rules out
	// final: the last error would have been another candidate's too.
	final bool
	// reason is why the first candidate did not answer.
	reason gatewayv1.FallbackReason
}

func (t *tries) skipped(why *errs.Error) {
	t.skips = append(t.skips, why)
	t.note(FallbackReason(why))
}

// refused takes note of an open breaker.
func (t *tries) refused(model string, why *errs.Error) {
	t.add(model, why)
	t.note(gatewayv1.FallbackReason_FALLBACK_REASON_BREAKER_OPEN)
}

func (t *tries) failed(model string, err error) {
	t.add(model, errs.From(err))
	t.final = !mayFallBack(err)
	t.note(FallbackReason(err))
}

func (t *tries) add(model string, e *errs.Error) {
	t.errs = append(t.errs, e)
	t.names = append(t.names, model)
}

func (t *tries) note(reason gatewayv1.FallbackReason) {
	if t.reason == gatewayv1.FallbackReason_FALLBACK_REASON_UNSPECIFIED {
		t.reason = reason
	}
}

// error is what the caller is told when nobody answered. What became of the
// others is in its metadata.
func (t *tries) error() error {
	if len(t.errs) == 0 {
		return t.skips[0]
	}
	told := t.told()
	e := t.errs[told]
	if told > 0 && !t.final {
		e = t.instead(told)
	}
	for i, other := range t.errs {
		switch i {
		case told:
		case 0:
			e = e.With("primary."+t.names[i], errs.ReasonName(other.Reason()))
		default:
			e = e.With("fallback."+t.names[i], errs.ReasonName(other.Reason()))
		}
	}
	return e
}

// told picks the error that helps the caller most: one that ends the request
// whoever is asked; else the first cause among the candidates that might have
// answered, unless that stays as it is while a later candidate may do better
// soon.
func (t *tries) told() int {
	if t.final {
		return len(t.errs) - 1
	}
	if first := t.errs[0].Reason(); errs.Retryable(first) || first == errs.DeadlineExceeded {
		return 0
	}
	return max(0, slices.IndexFunc(t.errs, func(e *errs.Error) bool { return errs.Retryable(e.Reason()) }))
}

// instead is the error of a later candidate, with the first cause in its message.
func (t *tries) instead(told int) *errs.Error {
	first, e := t.errs[0], t.errs[told]
	why := errs.ReasonName(first.Reason())
	if first.Reason() != errs.Internal { // those are for the log alone
		why += ": " + first.Message()
	}
	out := errs.New(e.Reason(), "model %q could not answer (%s), nor could %q instead: %s", t.names[0], why, t.names[told], e.Message()).
		WithRetryAfter(e.RetryAfter()).WithCause(e)
	for key, value := range e.Metadata() {
		out = out.With(key, value)
	}
	return out
}
