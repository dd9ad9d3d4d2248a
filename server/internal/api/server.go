// Package api serves the public gRPC API. It validates requests, passes them to the
// router or to the lifecycle manager, and returns only typed errors.
package api

import (
	"context"
	"log/slog"
	"math"
	"time"

	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/peers"
	"github.com/lexilingo/modelgateway/server/internal/quota"
)

// Services are the services of a server.
type Services struct {
	// Inference answers requests for models.
	Inference gatewayv1.ModelGatewayServiceServer
	// Admin loads and unloads models.
	Admin gatewayv1.ModelAdminServiceServer
	// Health reports to gRPC health checkers whether they serve.
	Health *health.Server
}

// ServerFactory makes the two gRPC servers of the process: one for the network, and
// one for the HTTP server of the same process. They share services and limits.
type ServerFactory struct {
	limits      config.Limits
	interceptor *interceptor
	services    Services
	endpoint    string
}

// NewServerFactory returns the factory. endpoint is the address of this server
// behind a proxy; answers have it if it is not empty.
func NewServerFactory(limits config.Limits, log *slog.Logger, validator *Validator, authorizer Authorizer, limiter *quota.Limiter, services Services, endpoint string) *ServerFactory {
	return &ServerFactory{
		limits: limits, interceptor: &interceptor{log: log, validator: validator, authorizer: authorizer, limiter: limiter}, services: services, endpoint: endpoint,
	}
}

// Public returns the server for the network. It sets every limit: the defaults of
// grpc-go are not meant for open networks.
func (f *ServerFactory) Public(opts ...grpc.ServerOption) *grpc.Server {
	age := f.limits.MaxConnectionAge
	if age == 0 {
		age = time.Duration(math.MaxInt64)
	}
	return f.make(append([]grpc.ServerOption{
		grpc.MaxConcurrentStreams(f.limits.MaxConcurrentStreams),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: age,
			// Streams may be longer than the age of their connection.
			MaxConnectionAgeGrace: time.Duration(math.MaxInt64),
			Time:                  time.Minute,
			Timeout:               20 * time.Second,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			// A client that pings each second sees within seconds that this machine, or
			// the link to it, is gone.
			MinTime:             time.Second,
			PermitWithoutStream: true,
		}),
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			f.nameEndpoint(ctx)
			return next(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			f.nameEndpoint(stream.Context())
			return next(srv, stream)
		}),
	}, opts...)...)
}

// nameEndpoint adds the address of this server to the answer of a call.
func (f *ServerFactory) nameEndpoint(ctx context.Context) {
	if f.endpoint != "" {
		_ = grpc.SetHeader(ctx, metadata.Pairs(peers.EndpointHeader, f.endpoint)) // fails only after the header was sent
	}
}

// Internal returns the server that only this process calls. All HTTP callers share
// one connection to it, so the number of its streams has no limit.
func (f *ServerFactory) Internal(opts ...grpc.ServerOption) *grpc.Server {
	return f.make(opts...)
}

func (f *ServerFactory) make(opts ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(newLenientCodec()),
		grpc.StatsHandler(noteCompression{}),
		grpc.MaxRecvMsgSize(f.limits.MaxRequestMB << 20),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxHeaderListSize(uint32(f.limits.MaxHeaderKB) << 10), //nolint:gosec // checked to be at most 1024
		grpc.ChainUnaryInterceptor(f.interceptor.unary),
		grpc.ChainStreamInterceptor(f.interceptor.stream),
	}, opts...)...)
	services := registrar{server, f.interceptor}
	gatewayv1.RegisterModelGatewayServiceServer(services, f.services.Inference)
	gatewayv1.RegisterModelAdminServiceServer(services, f.services.Admin)
	healthpb.RegisterHealthServer(services, f.services.Health)
	channelz.RegisterChannelzServiceToServer(services)
	reflection.Register(services) // v1 and v1alpha
	return server
}
