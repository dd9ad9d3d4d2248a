// Package errs defines the errors that the server and its engines return. An
// *Error has a reason; the reason determines the gRPC code and whether a retry
// can help. Errors become gRPC statuses only here: grpc-go calls GRPCStatus when
// a handler returns an *Error, in a worker as in the server, and From turns a
// received status back into an *Error.
package errs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Domain is the ErrorInfo domain of every error.
const Domain = "modelgateway"

// reasonPrefix comes before the public reason in the enum's value names.
const reasonPrefix = "ERROR_REASON_"

// Reason says why a call failed.
type Reason = gatewayv1.ErrorReason

// The reasons, without the generated prefix.
const (
	InvalidRequest     = gatewayv1.ErrorReason_ERROR_REASON_INVALID_REQUEST
	ConfigNotFirst     = gatewayv1.ErrorReason_ERROR_REASON_CONFIG_NOT_FIRST
	AudioUnreadable    = gatewayv1.ErrorReason_ERROR_REASON_AUDIO_UNREADABLE
	ModelNotFound      = gatewayv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND
	TaskUnknown        = gatewayv1.ErrorReason_ERROR_REASON_TASK_UNKNOWN
	ModelExceedsBudget = gatewayv1.ErrorReason_ERROR_REASON_MODEL_EXCEEDS_BUDGET
	ModelFileMissing   = gatewayv1.ErrorReason_ERROR_REASON_MODEL_FILE_MISSING
	ModelFileInvalid   = gatewayv1.ErrorReason_ERROR_REASON_MODEL_FILE_INVALID
	EngineUnavailable  = gatewayv1.ErrorReason_ERROR_REASON_ENGINE_UNAVAILABLE
	MemoryBusy         = gatewayv1.ErrorReason_ERROR_REASON_MEMORY_BUSY
	QueueFull          = gatewayv1.ErrorReason_ERROR_REASON_QUEUE_FULL
	RateLimited        = gatewayv1.ErrorReason_ERROR_REASON_RATE_LIMITED
	EngineCrashed      = gatewayv1.ErrorReason_ERROR_REASON_ENGINE_CRASHED
	LoadCooldown       = gatewayv1.ErrorReason_ERROR_REASON_LOAD_COOLDOWN
	Draining           = gatewayv1.ErrorReason_ERROR_REASON_DRAINING
	DeadlineExceeded   = gatewayv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED
	Unauthenticated    = gatewayv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED
	Forbidden          = gatewayv1.ErrorReason_ERROR_REASON_FORBIDDEN
	Internal           = gatewayv1.ErrorReason_ERROR_REASON_INTERNAL
	Cancelled          = gatewayv1.ErrorReason_ERROR_REASON_CANCELLED
	ModelConfigInvalid = gatewayv1.ErrorReason_ERROR_REASON_MODEL_CONFIG_INVALID
	SessionLost        = gatewayv1.ErrorReason_ERROR_REASON_SESSION_LOST
)

// Code returns the gRPC code of a reason.
func Code(r Reason) codes.Code {
	switch r {
	case InvalidRequest, ConfigNotFirst, AudioUnreadable:
		return codes.InvalidArgument
	case ModelNotFound, TaskUnknown:
		return codes.NotFound
	case ModelExceedsBudget, ModelFileMissing, ModelFileInvalid, ModelConfigInvalid, EngineUnavailable:
		return codes.FailedPrecondition
	case MemoryBusy, QueueFull, RateLimited:
		return codes.ResourceExhausted
	case EngineCrashed, LoadCooldown, Draining, SessionLost:
		return codes.Unavailable
	case DeadlineExceeded:
		return codes.DeadlineExceeded
	case Unauthenticated:
		return codes.Unauthenticated
	case Forbidden:
		return codes.PermissionDenied
	case Cancelled:
		return codes.Canceled
	default:
		return codes.Internal
	}
}

// Retryable reports whether the same call can succeed later without a change.
func Retryable(r Reason) bool {
	c := Code(r)
	return c == codes.ResourceExhausted || c == codes.Unavailable
}

// defaultRetryDelay is the advised delay of retryable errors that set none.
const defaultRetryDelay = time.Second

// Error is a failure with a reason. It is immutable: the With methods return
// copies.
type Error struct {
	reason     Reason
	message    string
	retryAfter time.Duration
	metadata   map[string]string
	cause      error
}

// New returns an error. The message says what is wrong and what to do about it.
// It is sent to clients, so it must not contain paths or texts that the caller
// did not send. Of what the caller sent, it repeats at most 100 characters if they
// are in double quotes, as %q writes them; Shorten the rest.
func New(reason Reason, format string, args ...any) *Error {
	return &Error{reason: reason, message: tidy(reason, fmt.Sprintf(format, args...))}
}

// ShuttingDown returns the error of requests that come when the server shuts down, or
// are not served in time then.
func ShuttingDown() *Error {
	return New(Draining, "the server is shutting down; try another server, or try again after its restart")
}

// WithCause returns a copy that wraps err, for errors.Is and logs. The cause is
// not sent to the client.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// WithRetryAfter returns a copy that advises the caller to retry after d.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.retryAfter = d
	return &c
}

// With returns a copy with one more ErrorInfo metadata key, for example "model". It
// shortens the value, unless the key is "fields": these are names of the API.
func (e *Error) With(key, value string) *Error {
	if key != "fields" {
		value = Shorten(value)
	}
	c := *e
	c.metadata = maps.Clone(e.metadata)
	if c.metadata == nil {
		c.metadata = map[string]string{}
	}
	c.metadata[key] = value
	return &c
}

// Rewrite returns a copy in which rewrite was applied to the message and to each value
// of the metadata, for example to remove what callers must not see.
func (e *Error) Rewrite(rewrite func(string) string) *Error {
	c := *e
	c.message = rewrite(e.message)
	c.metadata = maps.Clone(e.metadata)
	for key, value := range c.metadata {
		c.metadata[key] = rewrite(value)
	}
	return &c
}

// Reason returns why the call failed.
func (e *Error) Reason() Reason { return e.reason }

// Message returns the text to show to a person.
func (e *Error) Message() string { return e.message }

// Metadata returns a copy of the ErrorInfo metadata.
func (e *Error) Metadata() map[string]string { return maps.Clone(e.metadata) }

// RetryAfter returns how long to wait before a retry; 0 if a retry does not help.
func (e *Error) RetryAfter() time.Duration {
	if e.retryAfter > 0 || !Retryable(e.reason) {
		return e.retryAfter
	}
	return defaultRetryDelay
}

// Error implements error.
func (e *Error) Error() string { return ReasonName(e.reason) + ": " + e.message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus is called by grpc-go when a handler returns the error.
func (e *Error) GRPCStatus() *status.Status {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason:   ReasonName(e.reason),
		Domain:   Domain,
		Metadata: e.metadata,
	}}
	if d := e.RetryAfter(); d > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
	}
	st := status.New(Code(e.reason), e.message)
	if withDetails, err := st.WithDetails(details...); err == nil {
		return withDetails
	}
	return st
}

// WithoutPath returns an error of a file operation without the path, which must not be
// in a message: "permission denied". It returns every other error unchanged.
func WithoutPath(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// ReasonName returns the public name of a reason, for example "MODEL_NOT_FOUND".
func ReasonName(r Reason) string { return strings.TrimPrefix(r.String(), reasonPrefix) }

// ReasonOf returns the reason that From gives err; ERROR_REASON_UNSPECIFIED for
// nil.
func ReasonOf(err error) Reason {
	if err == nil {
		return gatewayv1.ErrorReason_ERROR_REASON_UNSPECIFIED
	}
	return From(err).reason
}

// From converts any error into an *Error. An *Error in the chain is returned
// unchanged; a context error becomes DEADLINE_EXCEEDED or CANCELLED; a gRPC
// status is converted by its ErrorInfo, or by its code if it has none. Any other
// error is INTERNAL. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return New(DeadlineExceeded, deadlinePassed).WithCause(err)
	}
	if errors.Is(err, context.Canceled) {
		return New(Cancelled, wasCancelled).WithCause(err)
	}
	if st, ok := status.FromError(err); ok {
		return fromStatus(st).WithCause(err)
	}
	return New(Internal, "%s", err.Error()).WithCause(err)
}

// Messages for calls that ended early: the same for the error of a context and for
// a status of the transport. An *Error that says more keeps its own message.
const (
	deadlinePassed = "the deadline passed"
	wasCancelled   = "the call was cancelled"
)

func fromStatus(st *status.Status) *Error {
	e := New(reasonOfCode(st.Code(), st.Message()), "%s", st.Message())
	switch e.reason { // the message is the transport's; an ErrorInfo of ours, below, restores it
	case DeadlineExceeded:
		e.message = deadlinePassed
	case Cancelled:
		e.message = wasCancelled
	}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if v, ok := gatewayv1.ErrorReason_value[reasonPrefix+d.GetReason()]; ok && d.GetDomain() == Domain {
				e.reason, e.message = Reason(v), st.Message()
				e.metadata = d.GetMetadata()
			}
		case *errdetails.RetryInfo:
			e.retryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	e.message = tidy(e.reason, e.message)
	return e
}

// reasonOfCode returns the reason of a status without an ErrorInfo of ours: one
// that grpc-go made, or an engine that does not use this package.
func reasonOfCode(c codes.Code, message string) Reason {
	switch c {
	case codes.ResourceExhausted:
		// grpc-go refuses oversized messages itself, before any handler runs.
		if strings.Contains(message, "larger than max") {
			return InvalidRequest
		}
		return RateLimited
	case codes.InvalidArgument, codes.OutOfRange:
		return InvalidRequest
	case codes.DeadlineExceeded:
		return DeadlineExceeded
	case codes.Canceled:
		return Cancelled
	case codes.Unimplemented:
		return EngineUnavailable
	case codes.Unavailable:
		return EngineCrashed
	case codes.Unauthenticated:
		return Unauthenticated
	case codes.PermissionDenied:
		return Forbidden
	default:
		return Internal
	}
}
