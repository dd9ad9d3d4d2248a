package router

import (
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

// error is what the caller is told when nobody answered: the first cause among
// the candidates that might have. What became of the others is in its metadata.
func (t *tries) error() error {
	if len(t.errs) == 0 {
		return t.skips[0]
	}
	e := t.errs[0]
	for i, other := range t.errs[1:] {
		e = e.With("fallback."+t.names[i+1], errs.ReasonName(other.Reason()))
	}
	return e
}
