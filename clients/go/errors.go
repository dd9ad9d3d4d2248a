package modelgateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// domain is the ErrorInfo domain of the server's errors.
const domain = "modelgateway"

// Error is the error of a failed call.
type Error struct {
	// Code is the gRPC status code.
	Code codes.Code
	// Reason is why the server failed the call. It is unspecified if the error
	// does not come from the server, for example if it cannot be reached.
	Reason gatewayv1.ErrorReason
	// Message describes the failure for a person.
	Message string
	// RetryAfter is how long to wait before a retry; 0 if a retry does not help.
	RetryAfter time.Duration
	// Metadata holds details, for example "model".
	Metadata map[string]string

	status *status.Status
}

// reason is an error that stands for all errors with a reason of the API.
type reason gatewayv1.ErrorReason

// Error implements error.
func (r reason) Error() string { return reasonName(gatewayv1.ErrorReason(r)) }

// The reasons of errors, for [errors.Is]. Those of docs/api.md say what to do.
const (
	ErrInvalidRequest     = reason(gatewayv1.ErrorReason_ERROR_REASON_INVALID_REQUEST)
	ErrConfigNotFirst     = reason(gatewayv1.ErrorReason_ERROR_REASON_CONFIG_NOT_FIRST)
	ErrAudioUnreadable    = reason(gatewayv1.ErrorReason_ERROR_REASON_AUDIO_UNREADABLE)
	ErrModelNotFound      = reason(gatewayv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND)
	ErrTaskUnknown        = reason(gatewayv1.ErrorReason_ERROR_REASON_TASK_UNKNOWN)
	ErrModelExceedsBudget = reason(gatewayv1.ErrorReason_ERROR_REASON_MODEL_EXCEEDS_BUDGET)
	ErrModelFileMissing   = reason(gatewayv1.ErrorReason_ERROR_REASON_MODEL_FILE_MISSING)
	ErrModelFileInvalid   = reason(gatewayv1.ErrorReason_ERROR_REASON_MODEL_FILE_INVALID)
	ErrModelConfigInvalid = reason(gatewayv1.ErrorReason_ERROR_REASON_MODEL_CONFIG_INVALID)
	ErrEngineUnavailable  = reason(gatewayv1.ErrorReason_ERROR_REASON_ENGINE_UNAVAILABLE)
	ErrMemoryBusy         = reason(gatewayv1.ErrorReason_ERROR_REASON_MEMORY_BUSY)
	ErrQueueFull          = reason(gatewayv1.ErrorReason_ERROR_REASON_QUEUE_FULL)
	ErrRateLimited        = reason(gatewayv1.ErrorReason_ERROR_REASON_RATE_LIMITED)
	ErrEngineCrashed      = reason(gatewayv1.ErrorReason_ERROR_REASON_ENGINE_CRASHED)
	ErrLoadCooldown       = reason(gatewayv1.ErrorReason_ERROR_REASON_LOAD_COOLDOWN)
	ErrDraining           = reason(gatewayv1.ErrorReason_ERROR_REASON_DRAINING)
	ErrSessionLost        = reason(gatewayv1.ErrorReason_ERROR_REASON_SESSION_LOST)
	ErrDeadlineExceeded   = reason(gatewayv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED)
	ErrUnauthenticated    = reason(gatewayv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED)
	ErrForbidden          = reason(gatewayv1.ErrorReason_ERROR_REASON_FORBIDDEN)
	ErrInternal           = reason(gatewayv1.ErrorReason_ERROR_REASON_INTERNAL)
	ErrCancelled          = reason(gatewayv1.ErrorReason_ERROR_REASON_CANCELLED)
)

// ErrUnreachable stands for errors of calls that reached no server: there is none at
// the address, or the connection to it broke. The latter is also what a call is told whose
// proxy has lost the server. Another try may reach another server.
var ErrUnreachable = errors.New("the server cannot be reached")

// Error implements error.
func (e *Error) Error() string {
	if name := e.ReasonName(); name != "" {
		return name + ": " + e.Message
	}
	return e.Code.String() + ": " + e.Message
}

// Is reports whether target is the error's reason, [ErrUnreachable], or the error of a
// context that ended the call.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrUnreachable:
		return e.unreachable()
	case context.Canceled, ErrCancelled:
		return e.Code == codes.Canceled && !e.unreachable() || e.is(ErrCancelled)
	case context.DeadlineExceeded, ErrDeadlineExceeded: // also if the client's own deadline passed
		return e.Code == codes.DeadlineExceeded || e.is(ErrDeadlineExceeded)
	}
	r, ok := target.(reason)
	return ok && e.is(r)
}

func (e *Error) is(r reason) bool { return reason(e.Reason) == r }

// unreachable reports whether the error does not come from the server: nothing answers at
// its address, or the connection broke. A proxy whose server is gone resets the stream,
// with one of several codes, such as that of a cancellation.
func (e *Error) unreachable() bool {
	return e.broken() && (e.Code == codes.Unavailable || e.reset())
}

// reset reports whether the server, or a proxy, ended the call without a status.
func (e *Error) reset() bool { return strings.Contains(e.Message, "RST_STREAM") }

// broken reports whether the connection to the server broke during the call: the error
// does not come from the server, and none of the client's own times has passed. Proxies
// end streams in several ways then.
func (e *Error) broken() bool {
	switch e.Code {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.Canceled, codes.Aborted:
		return e.Reason == gatewayv1.ErrorReason_ERROR_REASON_UNSPECIFIED
	}
	return false
}

// GRPCStatus returns the status of the call, for package status.
func (e *Error) GRPCStatus() *status.Status {
	if e.status != nil {
		return e.status
	}
	return status.New(e.Code, e.Message)
}

// ReasonName returns the name of the reason, for example "MODEL_NOT_FOUND", or
// "" if the server gave none.
func (e *Error) ReasonName() string {
	if e.Reason == gatewayv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return ""
	}
	return reasonName(e.Reason)
}

func reasonName(r gatewayv1.ErrorReason) string {
	return strings.TrimPrefix(r.String(), "ERROR_REASON_")
}

// ErrorOf returns the description of a call's error. It returns nil if err is nil
// or has no gRPC status in its chain.
func ErrorOf(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	// status.FromError would put the text of every wrapping error into Message.
	var call interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &call) {
		return nil
	}
	st := call.GRPCStatus()
	e := &Error{Code: st.Code(), Message: st.Message(), status: st}
	for _, detail := range st.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == domain {
				e.Reason = gatewayv1.ErrorReason(gatewayv1.ErrorReason_value["ERROR_REASON_"+detail.GetReason()])
				e.Metadata = detail.GetMetadata()
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	return e
}
