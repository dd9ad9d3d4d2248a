// Package reply writes errors to HTTP clients. Error has the form of the REST
// API; Refuse has the form of the protocol that the caller uses.
package reply

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// JSON is the media type of every error, and of most answers.
const JSON = "application/json"

// statusClientClosedRequest is nginx's code for a client that closed the
// connection before the answer.
const statusClientClosedRequest = 499

// Error answers with an error in the form of the REST API: a google.rpc.Status
// in JSON with the reason beside it, and Retry-After.
func Error(w http.ResponseWriter, err error) {
	e, code := statusOf(err)
	setRetryAfter(w.Header(), e)
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="modelgateway"`)
	}
	writeStatus(w, code, e.GRPCStatus().Proto(), errs.ReasonName(e.Reason()))
}

// statusOf returns an error with its reason and its HTTP status.
func statusOf(err error) (*errs.Error, int) {
	var custom *runtime.HTTPStatusError
	code := 0
	if errors.As(err, &custom) {
		err, code = custom.Err, custom.HTTPStatus
	}
	if st, ok := status.FromError(err); ok && MessageTooLarge(st.Code(), st.Message()) {
		err, code = errs.New(errs.InvalidRequest, "%s", st.Message()), http.StatusRequestEntityTooLarge
	}
	// Errors of grpc-gateway itself, such as of a body that is not JSON, have no
	// reason yet.
	e := errs.From(err)
	if code == 0 {
		code = httpStatus(errs.Code(e.Reason()))
	}
	return e, code
}

// MessageTooLarge reports whether gRPC refused a message because of its size.
// gRPC has no separate code for that: only the text distinguishes it.
func MessageTooLarge(code codes.Code, message string) bool {
	return code == codes.ResourceExhausted && strings.HasPrefix(message, "grpc: received message") &&
		strings.Contains(message, "larger than max")
}

// Body is an error as JSON: a google.rpc.Status, and the reason for clients
// that do not read details.
type Body struct {
	Code    int32             `json:"code"`
	Reason  string            `json:"reason,omitempty"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details"`
}

// BodyOf returns the JSON form of an error.
func BodyOf(err error) Body {
	e := errs.From(err)
	return bodyOf(e.GRPCStatus().Proto(), errs.ReasonName(e.Reason()))
}

func bodyOf(st *spb.Status, reason string) Body {
	body := Body{Code: st.GetCode(), Reason: reason, Message: st.GetMessage(), Details: []json.RawMessage{}}
	for _, d := range st.GetDetails() {
		if text, err := protojson.Marshal(d); err == nil {
			body.Details = append(body.Details, text)
		}
	}
	return body
}

func writeStatus(w http.ResponseWriter, code int, st *spb.Status, reason string) {
	w.Header().Del("Trailer")
	w.Header().Del("Transfer-Encoding")
	text, err := json.Marshal(bodyOf(st, reason))
	if err != nil {
		text = []byte("{}")
	}
	text = append(text, '\n')
	w.Header().Set("Content-Type", JSON)
	// With its length, the answer is complete before the rest of the request's
	// body has been read.
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(code)
	_, _ = w.Write(text) // fails only if the client is gone
}

func setRetryAfter(header http.Header, e *errs.Error) {
	if d := e.RetryAfter(); d > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	}
}

func httpStatus(code codes.Code) int {
	if code == codes.Canceled {
		return statusClientClosedRequest
	}
	return runtime.HTTPStatusFromCode(code)
}
