package bodies

import (
	"errors"
	"net/http"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

// failure is why a body was refused.
type failure struct {
	code int // of HTTP
	err  *errs.Error
}

func tooLarge(limit int64) *failure {
	return &failure{http.StatusRequestEntityTooLarge,
		errs.New(errs.InvalidRequest, "the request body is too large; this path takes at most %d bytes", limit)}
}

func tooMany() *failure {
	return &failure{http.StatusTooManyRequests,
		errs.New(errs.QueueFull, "the memory for large requests is in use; try again later")}
}

func tooSlow() *failure {
	return &failure{http.StatusRequestTimeout,
		errs.New(errs.DeadlineExceeded, "the request body arrived too slowly; send at least %d KiB per second", inflight.MinThroughput>>10)}
}

// cutOff is the failure of a body that ended after got bytes, before the length
// that the client had announced (-1: none, it sends chunks).
func cutOff(got, length int64) *failure {
	e := errs.New(errs.InvalidRequest, "the request body was cut off: got %d of %d bytes", got, length)
	if length < 0 {
		e = errs.New(errs.InvalidRequest, "the request body was cut off after %d bytes: its last chunk is missing", got)
	}
	return &failure{http.StatusBadRequest, e}
}

// FailTooLarge makes the request that w answers fail because of a message that
// is larger than limit bytes, as if the bounds of its body had found it.
func FailTooLarge(w http.ResponseWriter, limit int64) {
	if b := bodyOf(w); b != nil {
		b.fail(tooLarge(limit))
	}
}

// ReadError returns an error of reading a body as a typed one, and ErrStopped as
// it is.
func ReadError(err error) error {
	var typed *errs.Error
	if errors.As(err, &typed) || errors.Is(err, ErrStopped) {
		return err
	}
	return errs.New(errs.InvalidRequest, "the request body cannot be read: %s", err).WithCause(err)
}
