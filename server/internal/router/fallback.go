package router

import (
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// fallbackReason returns the reason for trying another model after an error. It
// is unspecified if there is none, e.g. because the request itself is invalid.
func fallbackReason(err error) gatewayv1.FallbackReason {
	switch errs.ReasonOf(err) {
	case errs.ModelFileMissing:
		return gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_FILE_MISSING
	case errs.ModelFileInvalid:
		return gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_FILE_INVALID
	case errs.ModelConfigInvalid:
		return gatewayv1.FallbackReason_FALLBACK_REASON_MODEL_CONFIG_INVALID
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
