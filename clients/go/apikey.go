package modelgateway

import (
	"context"

	"google.golang.org/grpc"
)

// WithAPIKey sends an API key with every call. Without transport security, everyone
// on the way can read it: use such a connection only within one machine.
func WithAPIKey(key string) grpc.DialOption { return grpc.WithPerRPCCredentials(apiKey(key)) }

type apiKey string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (k apiKey) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(k)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (apiKey) RequireTransportSecurity() bool { return false }
