package rest

import (
	"fmt"
	"net/http"
	"strconv"

	"connectrpc.com/vanguard"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// RPCPrefixes are the paths below which the transcoder serves RPCs.
func RPCPrefixes() []string {
	return []string{
		"/" + gatewayv1.ModelGatewayService_ServiceDesc.ServiceName + "/",
		"/" + gatewayv1.ModelAdminService_ServiceDesc.ServiceName + "/",
	}
}

// NewTranscoder serves gRPC-Web and Connect over the gRPC server, and gRPC to
// clients that use it on the HTTP port.
func NewTranscoder(server *grpc.Server, limits config.Limits) (http.Handler, error) {
	sized := messageSizeErrors(limits, server)
	services := []*vanguard.Service{
		vanguard.NewService(gatewayv1.ModelGatewayService_ServiceDesc.ServiceName, sized),
		vanguard.NewService(gatewayv1.ModelAdminService_ServiceDesc.ServiceName, sized),
	}
	// The gRPC server bounds messages; this bounds their longer form in JSON.
	limit := uint32(bodies.MaxJSONBytes(limits)) //nolint:gosec // of at most 1024 MiB
	transcoder, err := vanguard.NewTranscoder(services, vanguard.WithDefaultServiceOptions(
		vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
		vanguard.WithTargetCodecs(vanguard.CodecProto),
		vanguard.WithMaxMessageBufferBytes(limit),
	), vanguard.WithUnknownHandler(http.HandlerFunc(reply.NotFound)))
	if err != nil {
		return nil, fmt.Errorf("cannot set up gRPC-Web and Connect: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			reply.MethodNotAllowed(w, r, http.MethodPost)
			return
		}
		// A few compressed bytes can become many in memory.
		for _, header := range []string{"Content-Encoding", "Connect-Content-Encoding", "Grpc-Encoding"} {
			if name := r.Header.Get(header); name != "" && name != encoding.Identity {
				reply.Refuse(w, r, http.StatusUnsupportedMediaType, errs.New(errs.InvalidRequest,
					"the request is compressed (%s: %.20q): send it uncompressed", header, name))
				return
			}
		}
		transcoder.ServeHTTP(w, r)
	}), nil
}

// messageSizeErrors answers a message that is larger than the gRPC server takes
// as a body that is too large, as the other limits do.
func messageSizeErrors(limits config.Limits, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		code, err := strconv.Atoi(w.Header().Get("Grpc-Status"))
		if err == nil && reply.MessageTooLarge(codes.Code(code), w.Header().Get("Grpc-Message")) { //nolint:gosec // a gRPC code
			bodies.FailTooLarge(w, int64(limits.MaxRequestMB)<<20)
		}
	})
}
