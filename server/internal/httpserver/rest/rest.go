// Package rest serves the RPCs over HTTP: as the REST API of their annotations
// (grpc-gateway), and as gRPC-Web and Connect (Vanguard). Both call the gRPC
// server of this process.
package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// API is the REST API. It answers paths that do not exist too.
type API struct {
	mux     *runtime.ServeMux
	handler http.Handler
	codec   wholeJSON
}

// NewAPI returns the REST API over a connection to the gRPC server. It needs a
// real connection: grpc-gateway's in-process mode has no streams.
//
// grpc-gateway makes the header Grpc-Timeout the deadline of the call. Both sides
// of the connection watch it, and the client's side usually notices first. The
// error is then its own: the same reason, without the server's details, such as
// what the request waited for.
func NewAPI(ctx context.Context, conn *grpc.ClientConn) (*API, error) {
	codec := newCodec()
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &jsonLines{codec}),
		runtime.WithMarshalerOption(EventStream, &serverSentEvents{codec}),
		runtime.WithIncomingHeaderMatcher(forwardHeader),
		// Metadata of the gRPC server is of no use to REST clients.
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithErrorHandler(writeError),
		runtime.WithStreamErrorHandler(streamError),
		runtime.WithRoutingErrorHandler(routingError),
		runtime.WithMiddlewares(prepare(routes())),
		runtime.WithDisableHTTPMethodOverride(),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		gatewayv1.RegisterModelGatewayServiceHandler,
		gatewayv1.RegisterModelAdminServiceHandler,
	} {
		if err := register(ctx, mux, conn); err != nil {
			return nil, fmt.Errorf("cannot set up the REST API: %w", err)
		}
	}
	return &API{mux: mux, handler: plainStreamErrors(mux), codec: codec}, nil
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// CallContext returns the context of the RPC that a request makes, with the
// deadline (Grpc-Timeout) and the trace of the request's headers. rpc is its full
// name.
func (a *API) CallContext(r *http.Request, rpc string) (context.Context, error) {
	ctx, err := runtime.AnnotateContext(r.Context(), a.mux, r, rpc)
	if err != nil {
		return nil, errs.From(err)
	}
	return ctx, nil
}

// Decode reads a body that is one message in JSON. An empty body is the empty
// message.
func (a *API) Decode(body io.Reader, msg proto.Message) error {
	err := a.codec.NewDecoder(body).Decode(msg)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	return bodies.ReadError(err)
}

// Marshal returns a message in JSON.
func (a *API) Marshal(msg proto.Message) ([]byte, error) { return a.codec.Marshal(msg) }

// Answer answers a request with a message in JSON.
func (a *API) Answer(w http.ResponseWriter, msg proto.Message) {
	text, err := a.Marshal(msg)
	if err != nil {
		reply.Error(w, err)
		return
	}
	w.Header().Set("Content-Type", reply.JSON)
	// With its length, the answer is complete before the rest of the request's
	// body has been read.
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // fails only if the client is gone
}

// prepare applies the body policy of the route that matched, and chooses the form
// of its answer.
func prepare(routes map[string]Method) runtime.Middleware {
	offers := []string{reply.JSON, JSONLines, EventStream}
	return func(next runtime.HandlerFunc) runtime.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
			method := Method{Policy: bodies.Small}
			if pattern, ok := runtime.HTTPPattern(r.Context()); ok {
				method = routes[pattern.String()]
			}
			bodies.With(method.Policy, bodies.Decompress(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				media := reply.Negotiate(r, offers...)
				if media == "" {
					reply.NotAcceptable(w, r, offers...)
					return
				}
				r.Header.Set("Accept", media) // grpc-gateway knows only single types
				if method.Streams {
					reply.Unbuffered(w.Header())
				}
				next(w, r, params)
			}))).ServeHTTP(w, r)
		}
	}
}

// forwardHeader names the metadata in which the gRPC server sees a header:
// grpc-gateway's choice, and those that continue a trace.
func forwardHeader(name string) (string, bool) {
	switch name {
	case "Traceparent", "Tracestate":
		return strings.ToLower(name), true
	}
	return runtime.DefaultHeaderMatcher(name)
}

// writeError is reply.Error for grpc-gateway.
func writeError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	reply.Error(w, err)
}
