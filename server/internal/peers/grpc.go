package peers

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
)

// HTTP requests become calls of the gRPC server of the same process. Those that
// come through a pipe have their peer in this metadata.
const metadataKey = "x-modelgateway-peer"

// pipeNetwork is the network of the pipe's addresses.
const pipeNetwork = "bufconn"

// DialOptions returns options of the client of the pipe: its calls carry the peer
// of their context.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return call(outgoing(ctx), method, req, reply, conn, opts...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(outgoing(ctx), desc, conn, method, opts...)
		}),
	}
}

// outgoing replaces what a caller may have put into the metadata.
func outgoing(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	if md == nil {
		md = metadata.MD{}
	}
	md.Set(metadataKey, From(ctx))
	sendUser(ctx, md)
	return metadata.NewOutgoingContext(ctx, md)
}

// ServerOption returns an option of the gRPC server: calls through the pipe get
// their peer from their metadata.
func ServerOption() grpc.ServerOption { return grpc.StatsHandler(fromPipe{}) }

type fromPipe struct{}

// TagRPC implements stats.Handler.
func (fromPipe) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr.Network() != pipeNetwork {
		return ctx // the handler of HTTP has set it
	}
	ctx = receiveUser(ctx)
	values := metadata.ValueFromIncomingContext(ctx, metadataKey)
	if len(values) == 0 {
		return ctx
	}
	return With(ctx, values[0])
}

// HandleRPC implements stats.Handler.
func (fromPipe) HandleRPC(context.Context, stats.RPCStats) {}

// TagConn implements stats.Handler.
func (fromPipe) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (fromPipe) HandleConn(context.Context, stats.ConnStats) {}
