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

// domain is the ErrorInfo domain of the server's errors.
const domain = "modelgateway"

// Error describes a failed call.
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
}

// Error implements error.
func (e *Error) Error() string {
	if name := e.ReasonName(); name != "" {
		return name + ": " + e.Message
	}
	return e.Code.String() + ": " + e.Message
}

// ReasonName returns the name of the reason, for example "MODEL_NOT_FOUND", or
// "" if the server gave none.
func (e *Error) ReasonName() string {
	if e.Reason == gatewayv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(e.Reason.String(), "ERROR_REASON_")
}

// ErrorOf returns the description of a call's error. It returns nil if err is nil
// or has no gRPC status in its chain.
func ErrorOf(err error) *Error {
	// status.FromError would put the text of every wrapping error into Message.
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
