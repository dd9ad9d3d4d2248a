// Package modelgateway is the Go client of a ModelGateway server. A [Client] is
// one gRPC connection with both services of the API, ModelGatewayService and
// ModelAdminService. [ErrorOf] returns the reason of a failed call.
package modelgateway

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// DefaultAddress is the default gRPC address of a server.
const DefaultAddress = "127.0.0.1:50051"

// maxMessageBytes is the size of the largest message that the server sends.
const maxMessageBytes = 68 << 20

// Client is a connection to a server. Its methods may be called concurrently.
type Client struct {
	gatewayv1.ModelGatewayServiceClient
	gatewayv1.ModelAdminServiceClient

	connection *grpc.ClientConn
}

// New returns a client for the server at address, "host:port" or "unix:/path".
// It does not connect before the first call. The defaults are no transport
// security and received messages of up to 68 MiB; opts are applied after them.
func New(address string, opts ...grpc.DialOption) (*Client, error) {
	defaults := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
	}
	connection, err := grpc.NewClient(address, append(defaults, opts...)...)
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
