package reply

import (
	"net/http"
	"strings"

	"connectrpc.com/connect"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Refuse answers a request that reaches no service, in the protocol of the
// caller: as a gRPC, gRPC-Web or Connect status, else in the form of the REST
// API. code is the HTTP status where the protocol does not determine it.
func Refuse(w http.ResponseWriter, r *http.Request, code int, e *errs.Error) {
	refuse(w, r, code, e, e.GRPCStatus().Proto())
}

// Fail answers with an error in the form of the API that a path belongs to.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	if isOpenAI(r.URL.Path) {
		OpenAIError(w, err)
		return
	}
	Error(w, err)
}

// NotFound refuses a path that does not exist.
func NotFound(w http.ResponseWriter, r *http.Request) {
	e := errs.New(errs.InvalidRequest, "nothing is served at %s; see /docs", errs.Shorten(r.URL.Path))
	st := e.GRPCStatus().Proto()
	st.Code = int32(codes.NotFound)
	if isRPC(r) {
		st.Code = int32(codes.Unimplemented) // what gRPC clients expect
	}
	refuse(w, r, http.StatusNotFound, e, st)
}

// MethodNotAllowed refuses a method that a path does not have. allowed are the
// methods that it has.
func MethodNotAllowed(w http.ResponseWriter, r *http.Request, allowed ...string) {
	methods := strings.Join(allowed, ", ")
	e := errs.New(errs.InvalidRequest, "%s %s is not supported; use %s, or see /docs",
		errs.Shorten(r.Method), errs.Shorten(r.URL.Path), methods)
	st := e.GRPCStatus().Proto()
	st.Code = int32(codes.Unimplemented)
	w.Header().Set("Allow", methods)
	refuse(w, r, http.StatusMethodNotAllowed, e, st)
}

// refuse answers with a status whose gRPC code may differ from the reason's.
func refuse(w http.ResponseWriter, r *http.Request, code int, e *errs.Error, st *spb.Status) {
	if isOpenAI(r.URL.Path) {
		writeOpenAI(w, code, e)
		return
	}
	setRetryAfter(w.Header(), e)
	text := ""
	if suffix, ok := strings.CutPrefix(r.Header.Get("Content-Type"), WebText); ok {
		// connect-go does not know it. The answer has no body, so it needs no base64.
		text = WebText + suffix
		r = r.Clone(r.Context())
		r.Header.Set("Content-Type", Web+suffix)
	}
	writer := connect.NewErrorWriter(connect.WithRequireConnectProtocolHeader())
	if !isRPC(r) || !writer.IsSupported(r) {
		writeStatus(w, code, st, errs.ReasonName(e.Reason()))
		return
	}
	_ = writer.Write(&codeWriter{ResponseWriter: w, code: code, text: text}, r, connectError(st)) // fails only if the client is gone
}

// ConnectError returns an error in the form that connect-go and the transcoder
// write.
func ConnectError(e *errs.Error) *connect.Error { return connectError(e.GRPCStatus().Proto()) }

func connectError(st *spb.Status) *connect.Error {
	failure := connect.NewError(connect.Code(st.GetCode()), errorText(st.GetMessage())) //nolint:gosec // a gRPC code
	for _, any := range st.GetDetails() {
		if d, err := connect.NewErrorDetail(any); err == nil {
			failure.AddDetail(d)
		}
	}
	return failure
}

// The media types of gRPC-Web, before their suffix.
const (
	Web     = "application/grpc-web"
	WebText = "application/grpc-web-text"
)

// isRPC reports whether a request is for an RPC path, or in gRPC's framing. It
// chooses the form of an answer only, never what the request may do.
func isRPC(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/modelgateway.v1.") ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// errorText is a message as an error.
type errorText string

func (t errorText) Error() string { return string(t) }

// codeWriter replaces the HTTP status of a Connect error: connect-go derives it
// from the Connect code and has no 413, for example. Connect clients read the
// code from the body.
type codeWriter struct {
	http.ResponseWriter
	code int
	text string // the Content-Type of grpc-web-text
}

// WriteHeader implements http.ResponseWriter. The protocols that answer 200
// have the error in their trailers.
func (w *codeWriter) WriteHeader(code int) {
	if code != http.StatusOK {
		code = w.code
	}
	if w.text != "" {
		w.Header().Set("Content-Type", w.text)
	}
	w.ResponseWriter.WriteHeader(code)
}
