package peers

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
)

// seen is a service that tells from whom its calls are.
type seen struct {
	healthpb.UnimplementedHealthServer
	peers chan string
}

func (s seen) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	s.peers <- From(ctx)
	return &healthpb.HealthCheckResponse{}, nil
}

func (s seen) Watch(_ *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	s.peers <- From(stream.Context())
	return nil
}

// A call through the pipe has the peer of its context, whatever its metadata says.
// A call that comes otherwise cannot say from whom it is.
func TestPeerPassesThePipe(t *testing.T) {
	s := seen{peers: make(chan string, 1)}
	server := grpc.NewServer(ServerOption())
	healthpb.RegisterHealthServer(server, s)
	pipe := bufconn.Listen(1 << 20)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, lis := range []net.Listener{pipe, tcp} {
		go func() { _ = server.Serve(lis) }()
	}
	defer server.Stop()
	dial := func(target string, opts ...grpc.DialOption) healthpb.HealthClient {
		conn, err := grpc.NewClient(target, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return healthpb.NewHealthClient(conn)
	}
	inside := dial("passthrough:///pipe", append(DialOptions(), grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return pipe.DialContext(ctx)
	}))...)
	lie := metadata.AppendToOutgoingContext(t.Context(), metadataKey, "192.0.2.9")
	for name, c := range map[string]struct {
		client healthpb.HealthClient
		ctx    context.Context
		want   string
	}{
		"the pipe":               {inside, With(t.Context(), "192.0.2.1"), "192.0.2.1"},
		"the pipe, with a lie":   {inside, With(lie, "192.0.2.1"), "192.0.2.1"},
		"the pipe, without peer": {inside, lie, ""},
		"TCP, with a lie":        {dial(tcp.Addr().String()), lie, ""},
	} {
		if _, err := c.client.Check(c.ctx, &healthpb.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
		if got := <-s.peers; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if _, err := c.client.Watch(c.ctx, &healthpb.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
		if got := <-s.peers; got != c.want {
			t.Errorf("%s, a stream: %q, want %q", name, got, c.want)
		}
	}
}
