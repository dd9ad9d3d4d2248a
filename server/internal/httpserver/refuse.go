package httpserver

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// refuse answers a request that reaches no service, in its caller's protocol:
// as the status of gRPC, gRPC-Web or Connect, else in REST's shape. code is the
// HTTP status where the protocol leaves one to choose.
func refuse(w http.ResponseWriter, r *http.Request, code int, e *errs.Error) {
	refuseStatus(w, r, code, e, e.GRPCStatus().Proto())
}

// refuseStatus is refuse with another gRPC code than the reason's.
func refuseStatus(w http.ResponseWriter, r *http.Request, code int, e *errs.Error, st *spb.Status) {
	if d := e.RetryAfter(); d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	}
	writer := connect.NewErrorWriter(connect.WithRequireConnectProtocolHeader())
	if !isRPC(r) || !writer.IsSupported(r) {
		writeStatus(w, code, st, errs.ReasonName(e.Reason()))
		return
	}
	failure := connect.NewError(connect.Code(st.GetCode()), errorText(st.GetMessage())) //nolint:gosec // gRPC's codes
	for _, any := range st.GetDetails() {
		if m, err := any.UnmarshalNew(); err == nil {
			addDetail(failure, m)
		}
	}
	_ = writer.Write(&codeWriter{ResponseWriter: w, code: code}, r, failure) // the caller has left if this fails
}

func addDetail(e *connect.Error, m proto.Message) {
	if d, err := connect.NewErrorDetail(m); err == nil {
		e.AddDetail(d)
	}
}

// isRPC tells whether a request is for the RPC paths, or in gRPC's framing.
func isRPC(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/modelgateway.v1.") ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// errorText is a message as an error.
type errorText string

func (t errorText) Error() string { return string(t) }

// codeWriter has our HTTP status for a Connect error: Connect knows fewer of
// them, and its clients read the code from the body.
type codeWriter struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter. 200 is of protocols that carry
// the error behind it.
func (w *codeWriter) WriteHeader(code int) {
	if code != http.StatusOK {
		code = w.code
	}
	w.ResponseWriter.WriteHeader(code)
}
