package rest

import (
	"context"
	"net/http"
	"regexp"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// Method is an RPC, and where it is served.
type Method struct {
	// RPCPath is its path as gRPC, gRPC-Web and Connect: its full name.
	RPCPath string
	// HTTPMethod and Template are its REST route; empty if it has none.
	HTTPMethod, Template string
	// Policy bounds the bodies of its requests, whichever way they come.
	Policy bodies.Policy
	// Streams is whether its answer is a stream.
	Streams bool
}

// largeMethods are the unary RPCs whose requests carry audio, or parameters that
// may be audio.
var largeMethods = []string{
	gatewayv1.ModelGatewayService_Recognize_FullMethodName,
	gatewayv1.ModelGatewayService_Pronunciation_FullMethodName,
	gatewayv1.ModelGatewayService_PushAudio_FullMethodName,
	gatewayv1.ModelGatewayService_ExecuteTask_FullMethodName,
	gatewayv1.ModelGatewayService_Invoke_FullMethodName,
}

// Methods returns the RPCs of both services. Their REST routes are those of the
// annotations from which grpc-gateway's routes are generated.
func Methods() []Method {
	var methods []Method
	for _, file := range []protoreflect.FileDescriptor{
		gatewayv1.File_modelgateway_v1_service_proto, gatewayv1.File_modelgateway_v1_admin_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				methods = append(methods, newMethod(service, service.Methods().Get(j)))
			}
		}
	}
	return methods
}

func newMethod(service protoreflect.ServiceDescriptor, rpc protoreflect.MethodDescriptor) Method {
	m := Method{RPCPath: "/" + string(service.FullName()) + "/" + string(rpc.Name()), Streams: rpc.IsStreamingServer()}
	switch {
	case rpc.IsStreamingClient():
		m.Policy = bodies.MessageStream
	case slices.Contains(largeMethods, m.RPCPath):
		m.Policy = bodies.Large
	default:
		m.Policy = bodies.Small
	}
	rule, _ := proto.GetExtension(rpc.Options(), annotations.E_Http).(*annotations.HttpRule)
	switch {
	case rule.GetPost() != "":
		m.HTTPMethod, m.Template = http.MethodPost, rule.GetPost()
	case rule.GetGet() != "":
		m.HTTPMethod, m.Template = http.MethodGet, rule.GetGet()
	}
	return m
}

var (
	// templateVariable is a variable of a path template, such as {name}.
	templateVariable = regexp.MustCompile(`\{([^}]+)\}`)
	// quotedVariable is the same after regexp.QuoteMeta.
	quotedVariable = regexp.MustCompile(`\\\{[^}]+\\\}`)
)

// routes returns the RPCs with a REST route, by pattern as grpc-gateway writes it:
// /v1/models/{name=*}:load.
func routes() map[string]Method {
	routes := map[string]Method{}
	for _, m := range Methods() {
		if m.Template != "" {
			routes[templateVariable.ReplaceAllString(m.Template, "{$1=*}")] = m
		}
	}
	return routes
}

// routingError answers requests without a REST route.
func routingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	bodies.With(bodies.Small, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch code {
		case http.StatusMethodNotAllowed:
			reply.MethodNotAllowed(w, r, allowedMethods(r.URL.Path)...)
		case http.StatusBadRequest:
			reply.Refuse(w, r, code, errs.New(errs.InvalidRequest, "the path is not valid: it must begin with a slash"))
		default:
			reply.NotFound(w, r)
		}
	})).ServeHTTP(w, r)
}

// allowedMethods returns the HTTP methods of a REST path. grpc-gateway knows
// them and has no way to ask.
func allowedMethods(path string) []string {
	var methods []string
	for _, m := range Methods() {
		if m.Template != "" && matches(m.Template, path) {
			methods = append(methods, m.HTTPMethod)
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// matches reports whether a path is one of a template.
func matches(template, path string) bool {
	pattern := quotedVariable.ReplaceAllString(regexp.QuoteMeta(template), "[^/:]+")
	ok, err := regexp.MatchString("^"+pattern+"$", path)
	return err == nil && ok
}
