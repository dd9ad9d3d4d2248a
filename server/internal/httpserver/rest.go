package httpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// statusClientClosed is what proxies use for a caller that left.
const statusClientClosed = 499

// newREST serves the REST API through a real connection to the gRPC server;
// grpc-gateway's in-process mode knows no streams.
func newREST(ctx context.Context, conn *grpc.ClientConn) (*runtime.ServeMux, error) {
	codec := restCodec()
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &jsonLines{wholeJSON{codec}}),
		runtime.WithMarshalerOption(eventStream, &serverSentEvents{wholeJSON{codec}}),
		runtime.WithIncomingHeaderMatcher(forwarded),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }), // gRPC's own are noise
		runtime.WithErrorHandler(writeError),
		runtime.WithStreamErrorHandler(streamError),
		runtime.WithRoutingErrorHandler(routingError),
		runtime.WithDisableHTTPMethodOverride(),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		gatewayv1.RegisterModelGatewayServiceHandler,
		gatewayv1.RegisterModelAdminServiceHandler,
	} {
		if err := register(ctx, mux, conn); err != nil {
			return nil, fmt.Errorf("cannot prepare REST: %w", err)
		}
	}
	return mux, nil
}

// restCodec is how messages look in JSON.
func restCodec() *runtime.JSONPb {
	return &runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true},
		UnmarshalOptions: protojson.UnmarshalOptions{},
	}
}

// forwarded says which headers the gRPC server sees: grpc-gateway's choice, and
// those that carry a trace on.
func forwarded(name string) (string, bool) {
	switch name {
	case "Traceparent", "Tracestate":
		return strings.ToLower(name), true
	}
	return runtime.DefaultHeaderMatcher(name)
}

// typed makes sure that an error has a reason: those of grpc-gateway itself,
// e.g. of a body that is no JSON, have none.
func typed(err error) *errs.Error { return errs.From(err) }

// writeError answers with an error: google.rpc.Status in JSON, with the reason
// beside it for callers who do not read details, and Retry-After.
func writeError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	var custom *runtime.HTTPStatusError
	code := 0
	if errors.As(err, &custom) {
		err, code = custom.Err, custom.HTTPStatus
	}
	if st, ok := status.FromError(err); ok && messageTooLarge(st.Code(), st.Message()) {
		err, code = errs.New(errs.InvalidRequest, "%s", st.Message()), http.StatusRequestEntityTooLarge
	}
	e := typed(err)
	if code == 0 {
		code = httpStatus(errs.Code(e.Reason()))
	}
	if d := e.RetryAfter(); d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	}
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="modelgateway"`)
	}
	writeStatus(w, code, e.GRPCStatus().Proto(), errs.ReasonName(e.Reason()))
}

// errorBody is google.rpc.Status as JSON, and the reason.
type errorBody struct {
	Code    int32             `json:"code"`
	Reason  string            `json:"reason,omitempty"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details"`
}

func bodyOf(st *spb.Status, reason string) errorBody {
	body := errorBody{Code: st.GetCode(), Reason: reason, Message: st.GetMessage(), Details: []json.RawMessage{}}
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
	w.Header().Set("Content-Type", mediaJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(text))) // complete before the rest of the request's body is taken
	w.WriteHeader(code)
	_, _ = w.Write(text) // the caller has left if this fails
}

func httpStatus(code codes.Code) int {
	if code == codes.Canceled {
		return statusClientClosed
	}
	return runtime.HTTPStatusFromCode(code)
}

// wholeJSON is the codec of bodies that are one message, and nothing behind it.
type wholeJSON struct{ *runtime.JSONPb }

// NewDecoder implements runtime.Marshaler. An empty body is io.EOF.
func (c wholeJSON) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			return io.EOF
		}
		msg, ok := v.(proto.Message)
		if !ok {
			return c.Unmarshal(text, v)
		}
		// JSONPb's own reads one message, and leaves what is behind it.
		if err := c.UnmarshalOptions.Unmarshal(text, msg); err != nil {
			return unreadable("body", err)
		}
		return nil
	})
}

// unreadable is what a caller is told of JSON that does not fit.
func unreadable(what string, err error) *errs.Error {
	return errs.New(errs.InvalidRequest, "the %s cannot be read: %s", what, errs.PlainProtoError(err)).WithCause(err)
}

// jsonLines is the codec; a stream is one JSON object per line.
type jsonLines struct{ wholeJSON }

// StreamContentType implements runtime.StreamContentType.
func (*jsonLines) StreamContentType(any) string { return "application/x-ndjson" }

// eventStream is what a browser's EventSource, or fetch, asks for.
const eventStream = "text/event-stream"

// serverSentEvents writes a stream's messages as events: "data: {…}" and an
// empty line.
type serverSentEvents struct{ wholeJSON }

// ContentType implements runtime.Marshaler.
func (*serverSentEvents) ContentType(any) string { return eventStream }

// Delimiter implements runtime.Delimited.
func (*serverSentEvents) Delimiter() []byte { return []byte("\n\n") }

// Marshal implements runtime.Marshaler.
func (s *serverSentEvents) Marshal(v any) ([]byte, error) {
	text, err := s.JSONPb.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte("data: "), text...), nil
}
