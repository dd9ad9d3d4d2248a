package modelgateway_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// busyServer fails every Chat with a reason and a retry delay.
type busyServer struct {
	gatewayv1.UnimplementedModelGatewayServiceServer
}

func (busyServer) Chat(context.Context, *gatewayv1.ChatRequest) (*gatewayv1.ChatResponse, error) {
	st, err := status.New(codes.ResourceExhausted, "the queue is full").WithDetails(
		&errdetails.ErrorInfo{Reason: "QUEUE_FULL", Domain: "modelgateway", Metadata: map[string]string{"model": "qwen"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)})
	if err != nil {
		return nil, err
	}
	return nil, st.Err()
}

func TestErrorHasReasonAndRetryDelay(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	gatewayv1.RegisterModelGatewayServiceServer(server, busyServer{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	client, err := modelgateway.New(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	_, err = client.Chat(t.Context(), &gatewayv1.ChatRequest{})
	e := modelgateway.ErrorOf(fmt.Errorf("while chatting: %w", err))
	if e == nil || e.ReasonName() != "QUEUE_FULL" || e.RetryAfter != 3*time.Second || e.Metadata["model"] != "qwen" {
		t.Fatalf("%+v of %v", e, err)
	}
	if e.Error() != "QUEUE_FULL: the queue is full" {
		t.Errorf("text %q", e.Error())
	}
}

func TestUnreachableServerHasNoReason(t *testing.T) {
	client, err := modelgateway.New("unix:" + t.TempDir() + "/none.sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	_, err = client.Chat(t.Context(), &gatewayv1.ChatRequest{})
	if e := modelgateway.ErrorOf(err); e == nil || e.Code != codes.Unavailable || e.ReasonName() != "" {
		t.Errorf("%v", err)
	}
	if modelgateway.ErrorOf(errors.New("of no call")) != nil || modelgateway.ErrorOf(nil) != nil {
		t.Error("an error without a gRPC status has a description")
	}
}
