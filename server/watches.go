package server

import (
	"context"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// watches ends the streams that watch health, which otherwise only their clients
// end. They report the whole shutdown and must not delay its end. Streams that watch
// models end with the lifecycle manager.
type watches struct {
	ended context.Context
	end   context.CancelFunc
}

func newWatches() watches {
	ctx, cancel := context.WithCancel(context.Background())
	return watches{ended: ctx, end: cancel}
}

// option returns an option of a gRPC server that ends its health watches with w.
func (w watches) option() grpc.ServerOption {
	return grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if info.FullMethod != healthpb.Health_Watch_FullMethodName {
			return next(srv, stream)
		}
		ctx, cancel := context.WithCancel(stream.Context())
		defer cancel()
		defer context.AfterFunc(w.ended, cancel)()
		err := next(srv, &watchStream{ServerStream: stream, ctx: ctx})
		if stream.Context().Err() == nil && w.ended.Err() != nil {
			return errs.ShuttingDown()
		}
		return err
	})
}

// watchStream is a stream with another context.
type watchStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s *watchStream) Context() context.Context { return s.ctx }
