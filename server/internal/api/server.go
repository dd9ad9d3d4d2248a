// Package api serves the public gRPC API: it checks requests, hands them to the
// router or to the lifecycle manager, and lets nothing but typed errors leave.
package api

import (
	"log/slog"
	"math"
	"time"

	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// Services are everything that a server serves.
type Services struct {
	// Inference answers requests for models.
	Inference gatewayv1.ModelGatewayServiceServer
	// Admin looks after the models.
	Admin gatewayv1.ModelAdminServiceServer
	// Health tells whether they serve.
	Health *health.Server
}

// ServerFactory makes the gRPC servers of one gateway: one for the network, and
// one that the HTTP side calls inside the process.
type ServerFactory struct {
	limits   config.Limits
	guard    *guard
	services Services
}

// NewServerFactory prepares what the servers share.
func NewServerFactory(limits config.Limits, log *slog.Logger, rules *Rules, services Services) *ServerFactory {
	return &ServerFactory{limits: limits, guard: &guard{log: log, rules: rules}, services: services}
}

// Public makes the server for the network. grpc-go's own limits are not for
// open networks, so each is set.
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
			// Calls outlive their connection's age: streams may be long.
			MaxConnectionAgeGrace: time.Duration(math.MaxInt64),
			Time:                  time.Minute,
			Timeout:               20 * time.Second,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime:             10 * time.Second,
			PermitWithoutStream: true,
		}),
	}, opts...)...)
}

// Internal makes the server that only this process calls. All HTTP callers
// share one connection to it, so it does not count streams.
func (f *ServerFactory) Internal(opts ...grpc.ServerOption) *grpc.Server {
	return f.make(opts...)
}

func (f *ServerFactory) make(opts ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(newLenientCodec()),
		grpc.MaxRecvMsgSize(f.limits.MaxRequestMB << 20),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxHeaderListSize(uint32(f.limits.MaxHeaderKB) << 10), //nolint:gosec // checked to be at most 1024
		grpc.ChainUnaryInterceptor(f.guard.unary),
		grpc.ChainStreamInterceptor(f.guard.stream),
	}, opts...)...)
	gatewayv1.RegisterModelGatewayServiceServer(server, f.services.Inference)
	gatewayv1.RegisterModelAdminServiceServer(server, f.services.Admin)
	healthpb.RegisterHealthServer(server, f.services.Health)
	channelz.RegisterChannelzServiceToServer(server)
	reflection.Register(server) // v1 and v1alpha
	return server
}
