package modelgateway

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// domain is the ErrorInfo domain of the server's own errors.
const domain = "modelgateway"

// Error is a failed call as the server explained it.
type Error struct {
	// Code is gRPC's.
	Code codes.Code
	// Reason is the server's; unspecified where the failure is not the server's
	// own, e.g. if it cannot be reached.
	Reason gatewayv1.ErrorReason
	// Message is for people.
	Message string
	// RetryAfter is when the same call may succeed; 0 if a retry does not help.
	RetryAfter time.Duration
	// Metadata holds particulars such as "model".
	Metadata map[string]string
}

// Error implements error.
func (e *Error) Error() string {
	if name := e.ReasonName(); name != "" {
		return name + ": " + e.Message
	}
	return e.Code.String() + ": " + e.Message
}

// ReasonName returns the reason without the generated prefix, e.g.
// "MODEL_NOT_FOUND"; "" if there is none.
func (e *Error) ReasonName() string {
	if e.Reason == gatewayv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(e.Reason.String(), "ERROR_REASON_")
}

// ErrorOf reads what a call's error says. It returns nil if err is nil or comes
// from no call.
func ErrorOf(err error) *Error {
	// Not status.FromError: for a wrapped error its message has the whole chain.
	var call interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &call) {
		return nil
	}
	st := call.GRPCStatus()
	e := &Error{Code: st.Code(), Message: st.Message()}
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
