package server

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// scarce is a server whose model serves two chats at once, and queues sixteen.
const scarce = `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
max_memory_mb: 2000
cpu_threads: 64
drain_timeout: 10s
log: {level: error, format: json}
engines:
  fault: {command: [engine-fault]}
models:
  qwen: {engine: fault, path: MODEL, memory_mb: 64, threads: 1, max_concurrency: 2, queue: 16}
tasks:
  chat: {primary: qwen}
`

// clientFrom returns a client with a connection of its own, from a local address.
func clientFrom(t *testing.T, local, target string) gatewayv1.ModelGatewayServiceClient {
	t.Helper()
	return gatewayv1.NewModelGatewayServiceClient(connFrom(t, local, target))
}

// connFrom returns a connection from a local address.
func connFrom(t *testing.T, local, target string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(
		func(ctx context.Context, address string) (net.Conn, error) {
			dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
			return dialer.DialContext(ctx, "tcp", address)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// flood keeps chats open from many clients until the test ends: each of them holds its
// lease for as long as its 200 tokens take, and is followed by another one. It returns
// when the model has refused some, and so its queue is full, and a count of those that
// were answered.
func flood(t *testing.T, clients []gatewayv1.ModelGatewayServiceClient, chats int, as func() context.Context) *atomic.Int64 {
	t.Helper()
	var answered, refused atomic.Int64
	ctx, cancel := context.WithCancel(as())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	for i := range chats {
		running.Go(func() {
			for ctx.Err() == nil {
				stream, err := clients[i%len(clients)].StreamChat(ctx, &gatewayv1.StreamChatRequest{
					Messages: say(`fault: {"token_count": 200, "token_interval_us": 2000}`),
				})
				for err == nil {
					_, err = stream.Recv()
				}
				if errs.ReasonOf(err) == errs.QueueFull {
					refused.Add(1)
				} else {
					answered.Add(1)
				}
				select {
				case <-ctx.Done():
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	eventually(t, func() bool { return refused.Load() >= 100 })
	return &answered
}

// One caller keeps 1,000 chats open, over 50 connections. Of another caller's none is
// refused, and each is answered after a bounded number of the first one's.
func TestAFloodOfChatsDoesNotStopOthers(t *testing.T) {
	const connections, chats, honest = 50, 1000, 20
	t.Run("by address", func(t *testing.T) {
		r := start(t, scarce)
		load(t, r, "qwen", true)
		target := r.GRPCAddr().String()
		var clients []gatewayv1.ModelGatewayServiceClient
		for range connections {
			clients = append(clients, clientFrom(t, "127.0.0.2", target))
		}
		answered := flood(t, clients, chats, t.Context)
		checkAnswers(t, answered, honest, func() error {
			_, err := r.chat.Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("Hello")})
			return err
		})
	})
	t.Run("by key", func(t *testing.T) {
		r := startGuarded(t, scarce, &auth.Key{Name: "flood", Roles: auth.Roles()}, &auth.Key{Name: "honest", Roles: auth.Roles()})
		var clients []gatewayv1.ModelGatewayServiceClient
		for range connections / 5 {
			clients = append(clients, clientFrom(t, "127.0.0.1", r.GRPCAddr().String()))
		}
		answered := flood(t, clients, chats/5, func() context.Context { return r.as(t, "flood") })
		checkAnswers(t, answered, honest, func() error {
			_, err := r.chat.Chat(r.as(t, "honest"), &gatewayv1.ChatRequest{Messages: say("Hello")})
			return err
		})
	})
}

// checkAnswers sends chats one after the other, of which each must be answered.
func checkAnswers(t *testing.T, floods *atomic.Int64, n int, chat func() error) {
	t.Helper()
	before := floods.Load()
	for i := range n {
		if err := chat(); err != nil {
			t.Fatalf("chat %d of the other caller: %v", i, err)
		}
	}
	got := floods.Load() - before
	t.Logf("%d chats were answered, and %d of the flood meanwhile", n, got)
	// While one chat waits, about one of the flood ends, and while the next one is on its
	// way, others.
	if got > int64(10*n) {
		t.Errorf("%d chats of the flood were answered meanwhile", got)
	}
}
