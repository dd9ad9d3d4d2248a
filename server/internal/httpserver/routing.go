package httpserver

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// routingError answers REST paths and methods that do not exist.
func routingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	switch code {
	case http.StatusMethodNotAllowed:
		refuseMethod(w, r, restMethods(r.URL.Path)...)
	case http.StatusBadRequest:
		refuse(w, r, code, errs.New(errs.InvalidRequest, "the path cannot be read"))
	default:
		notFound(w, r)
	}
}

// notFound answers paths that do not exist, RPCs among them.
func notFound(w http.ResponseWriter, r *http.Request) {
	e := errs.New(errs.InvalidRequest, "there is nothing at %s; see /docs", r.URL.Path)
	st := e.GRPCStatus().Proto()
	st.Code = int32(codes.NotFound)
	if isRPC(r) {
		st.Code = int32(codes.Unimplemented) // what gRPC's clients know
	}
	refuseStatus(w, r, http.StatusNotFound, e, st)
}

// refuseMethod answers what a path does not do; allowed is what it does.
func refuseMethod(w http.ResponseWriter, r *http.Request, allowed ...string) {
	e := errs.New(errs.InvalidRequest, "%s is not possible here; see /docs", r.Method)
	st := e.GRPCStatus().Proto()
	st.Code = int32(codes.Unimplemented)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	refuseStatus(w, r, http.StatusMethodNotAllowed, e, st)
}

// handleGet serves a path to GET and HEAD, and refuses other methods.
func handleGet(mux *http.ServeMux, path string, handler http.Handler) {
	mux.Handle("GET "+path, handler)
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		refuseMethod(w, r, http.MethodGet, http.MethodHead)
	})
}

// rpcMethods refuses what no RPC is called with.
func rpcMethods(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			refuseMethod(w, r, http.MethodPost)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// variable is a path template's, e.g. {name}.
var variable = regexp.MustCompile(`\\\{[^}]+\\\}`)

// restMethods returns the methods of a REST path, from the annotations that
// grpc-gateway's routes were generated from: it does not tell them.
func restMethods(path string) []string {
	var methods []string
	for _, file := range []protoreflect.FileDescriptor{
		gatewayv1.File_modelgateway_v1_service_proto, gatewayv1.File_modelgateway_v1_admin_proto,
	} {
		for i := range file.Services().Len() {
			rpcs := file.Services().Get(i).Methods()
			for j := range rpcs.Len() {
				rule, _ := proto.GetExtension(rpcs.Get(j).Options(), annotations.E_Http).(*annotations.HttpRule)
				method, template := http.MethodGet, rule.GetGet()
				if rule.GetPost() != "" {
					method, template = http.MethodPost, rule.GetPost()
				}
				if template != "" && matches(template, path) {
					methods = append(methods, method)
				}
			}
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

func matches(template, path string) bool {
	pattern := variable.ReplaceAllString(regexp.QuoteMeta(template), "[^/:]+")
	ok, err := regexp.MatchString("^"+pattern+"$", path)
	return err == nil && ok
}
