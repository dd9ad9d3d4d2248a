package modelgateway

import (
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"
)

// gRPC returns io.EOF for a call that it repeated and whose second stream was refused too
// soon. Such a call is made again, and has a type if it fails.
func TestCallWithoutStatus(t *testing.T) {
	s := defaults()
	attempts := 0
	err := s.unary(t.Context(), "/m", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
		attempts++
		return io.EOF
	})
	if !errors.Is(err, ErrUnreachable) || attempts != s.retry.Attempts {
		t.Errorf("%v after %d attempts, want ErrUnreachable after %d", err, attempts, s.retry.Attempts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = s.unary(ctx, "/m", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
		cancel()
		return io.EOF
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v of a cancelled call, want context.Canceled", err)
	}
}
