package modelgateway

import (
	"context"
	"fmt"
	"iter"
	"os"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// DefaultAddress is the gRPC address of a server that nothing else says.
	DefaultAddress = "127.0.0.1:50051"
	// addressVariable is the environment variable with another one, and keyVariable
	// that with the API key.
	addressVariable = "MODELGATEWAY_ADDR"
	keyVariable     = "MODELGATEWAY_API_KEY"
)

// Client is a connection to a server. Its methods may be called concurrently. They
// are those of the generated clients of both services; [Stream] reads their streams,
// and [Client.OpenSession] transcribes live speech.
type Client struct {
	gatewayv1.ModelGatewayServiceClient
	gatewayv1.ModelAdminServiceClient

	connection *grpc.ClientConn
}

// New returns a client for the server at address, "host:port" or "unix:/path". If it
// is empty, $MODELGATEWAY_ADDR or else [DefaultAddress] counts. New does not connect
// before the first call.
func New(address string, opts ...Option) (*Client, error) {
	if address == "" {
		address = os.Getenv(addressVariable)
	}
	if address == "" {
		address = DefaultAddress
	}
	s := defaults()
	for _, option := range opts {
		option(&s)
	}
	connection, err := grpc.NewClient(address, s.dialOptions()...)
	if err != nil {
		return nil, fmt.Errorf("modelgateway: address %q: %w", address, err)
	}
	return &Client{
		ModelGatewayServiceClient: gatewayv1.NewModelGatewayServiceClient(connection),
		ModelAdminServiceClient:   gatewayv1.NewModelAdminServiceClient(connection),
		connection:                connection,
	}, nil
}

// Health returns a client of the server's health checks. They need no API key.
func (c *Client) Health() healthpb.HealthClient { return healthpb.NewHealthClient(c.connection) }

// Close closes the connection. Calls in progress fail.
func (c *Client) Close() error { return c.connection.Close() }

// User returns a conversation that begins with a message of the user.
func User(text string) []*gatewayv1.ChatMessage {
	return []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: text}}
}

// Stream calls a method that returns a stream, and returns its messages. An error is
// the last value; its type is [*Error]. If the loop ends early, the call is cancelled,
// and the server stops the work.
//
//	for piece, err := range modelgateway.Stream(ctx, client.StreamChat, request) {
func Stream[Request, Response any](
	ctx context.Context, method func(context.Context, *Request, ...grpc.CallOption) (grpc.ServerStreamingClient[Response], error),
	request *Request, opts ...grpc.CallOption,
) iter.Seq2[*Response, error] {
	return func(yield func(*Response, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := method(ctx, request, opts...)
		if err != nil {
			yield(nil, err)
			return
		}
		receive(stream.Recv, yield)
	}
}
