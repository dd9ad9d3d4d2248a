package server

import (
	"context"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// watches end the streams that only their callers would end: those that watch
// health. They see all of a drain, and must not hold up its end. Those that watch
// models end with the lifecycle manager.
type watches struct {
	ended context.Context
	end   context.CancelFunc
}

func newWatches() watches {
	ctx, cancel := context.WithCancel(context.Background())
	return watches{ended: ctx, end: cancel}
}

// option gives a server's watches a context that ends with these.
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
			return errs.New(errs.Draining, "the gateway is shutting down")
		}
		return err
	})
}

// watchStream is a stream with a context of its own.
type watchStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s *watchStream) Context() context.Context { return s.ctx }
