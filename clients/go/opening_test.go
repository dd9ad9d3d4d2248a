package modelgateway_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// silent opens one session, has no answer to the opening of further streams, and
// refuses audio.
type silent struct {
	gatewayv1.UnimplementedModelGatewayServiceServer
	opened chan int64 // gets the number of each stream
	count  atomic.Int64
}

func (s *silent) OpenTranscription(_ *gatewayv1.OpenTranscriptionRequest, stream gatewayv1.ModelGatewayService_OpenTranscriptionServer) error {
	count := s.count.Add(1)
	if count == 1 {
		if err := stream.Send(&gatewayv1.OpenTranscriptionResponse{SessionId: "s"}); err != nil {
			return err
		}
	}
	s.opened <- count
	<-stream.Context().Done()
	return nil
}

func (*silent) PushAudio(context.Context, *gatewayv1.PushAudioRequest) (*gatewayv1.PushAudioResponse, error) {
	return nil, status.Error(codes.Unavailable, "the connection broke")
}

// openSilent opens a session of a silent server.
func openSilent(t *testing.T) (*silent, *modelgateway.Session) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &silent{opened: make(chan int64, 10)}
	server := grpc.NewServer()
	gatewayv1.RegisterModelGatewayServiceServer(server, s)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	session := open(t, client(t, listener.Addr().String(), modelgateway.WithRetry(modelgateway.Retry{Attempts: 1})))
	<-s.opened
	return s, session
}

// The context of a push also ends the opening of a stream for it.
func TestPushEndsWithItsContext(t *testing.T) {
	server, session := openSilent(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pushed := make(chan error, 1)
	go func() { pushed <- session.Push(ctx, []byte("audio")) }()
	<-server.opened
	cancel()
	if err := wait(t, pushed); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestCloseEndsOpening(t *testing.T) {
	server, session := openSilent(t)
	pushed := make(chan error, 1)
	go func() { pushed <- session.Push(t.Context(), []byte("audio")) }()
	<-server.opened
	session.Close()
	if err := wait(t, pushed); err == nil {
		t.Error("the push succeeds")
	}
}

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the push has not ended after a minute")
		return nil
	}
}
