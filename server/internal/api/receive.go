package api

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/stats"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/grpcguard"
)

// receive receives a message with recv. Compressed messages are refused: a few
// bytes of them can become many in memory.
func receive(ctx context.Context, recv func(any) error, m any) error {
	if c, ok := ctx.Value(compressionKey{}).(*compression); ok && c.name != "" && c.name != encoding.Identity {
		return errs.New(errs.InvalidRequest, "the messages are compressed (grpc-encoding: %.20q): send them uncompressed", c.name)
	}
	return grpcguard.Receive(ctx, func() error { return recv(m) })
}

// registrar registers services whose unary methods receive their message with
// receive, after the call was authorized. For streams interceptor.stream and
// checkedStream do so.
type registrar struct {
	*grpc.Server
	interceptor *interceptor
}

// RegisterService implements grpc.ServiceRegistrar.
func (r registrar) RegisterService(original *grpc.ServiceDesc, service any) {
	desc := *original
	methods := make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		rpc := "/" + desc.ServiceName + "/" + m.MethodName
		methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: func(srv any, ctx context.Context, dec func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
			authorized, end, err := r.interceptor.authorizer.Authorize(ctx, rpc)
			if err != nil {
				return nil, r.interceptor.ended(ctx, rpc, time.Now(), nil, err)
			}
			defer end()
			defer tellLimits(authorized, r.interceptor.limiter)
			if err := takeRequest(authorized, r.interceptor.limiter, rpc); err != nil {
				return nil, r.interceptor.ended(authorized, rpc, time.Now(), nil, err)
			}
			return m.Handler(srv, authorized, func(v any) error { return receive(authorized, dec, v) }, chain)
		}}
	}
	desc.Methods = methods
	r.Server.RegisterService(&desc, service)
}

// compression is how the messages of a call are compressed.
type compression struct{ name string }

type compressionKey struct{}

// noteCompression puts the compression of a call into its context. gRPC tells it
// only to such handlers.
type noteCompression struct{}

// TagRPC implements stats.Handler.
func (noteCompression) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, compressionKey{}, &compression{})
}

// HandleRPC implements stats.Handler.
func (noteCompression) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if in, ok := s.(*stats.InHeader); ok {
		if c, ok := ctx.Value(compressionKey{}).(*compression); ok {
			c.name = in.Compression
		}
	}
}

// TagConn implements stats.Handler.
func (noteCompression) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return ctx
}

// HandleConn implements stats.Handler.
func (noteCompression) HandleConn(context.Context, stats.ConnStats) {}
