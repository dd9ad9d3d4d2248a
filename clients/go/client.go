// Package modelgateway is the Go client of a ModelGateway server: a connection
// with the settings that the server expects, both services on it, and errors by
// reason.
package modelgateway

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// DefaultAddress is where a server listens unless it is told otherwise.
const DefaultAddress = "127.0.0.1:50051"

// maxMessageBytes is the most that the server sends in one message.
const maxMessageBytes = 68 << 20

// Client is a connection to a server. It is safe for use by many goroutines.
type Client struct {
	gatewayv1.ModelGatewayServiceClient
	gatewayv1.ModelAdminServiceClient

	connection *grpc.ClientConn
}

// New makes a client of the server at address: "host:port", or "unix:/path".
// Nothing is sent before the first call. Options come after the defaults: no
// transport security, messages of up to 68 MiB.
func New(address string, opts ...grpc.DialOption) (*Client, error) {
	defaults := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
	}
	connection, err := grpc.NewClient(address, append(defaults, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("the address %q: %w", address, err)
	}
	return &Client{
		ModelGatewayServiceClient: gatewayv1.NewModelGatewayServiceClient(connection),
		ModelAdminServiceClient:   gatewayv1.NewModelAdminServiceClient(connection),
		connection:                connection,
	}, nil
}

// Close ends the connection and the calls on it.
func (c *Client) Close() error { return c.connection.Close() }
