package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// startRelay starts this program again as a bare relay to the stub engine, and returns
// the process and a client of it.
func startRelay(ctx context.Context, engine net.Addr) (*benchkit.Process, *grpc.ClientConn, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	address, err := benchkit.FreeAddr()
	if err != nil {
		return nil, nil, err
	}
	process, err := benchkit.Start(os.Stderr, nil, self, "-relay-from", address, "-relay-to", engine.Network()+":"+engine.String())
	if err != nil {
		return nil, nil, err
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err == nil {
		ready, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		err = direct{enginev1.NewEngineClient(conn)}.unary(ready)
	}
	if err != nil {
		process.Stop()
		return nil, nil, fmt.Errorf("the relay: %w", err)
	}
	return process, conn, nil
}

// serveRelay is the least that a server between client and engine can do with grpc-go:
// it passes the bytes of every message on, and knows nothing of them.
func serveRelay(ctx context.Context, from, to string) error {
	conn, err := grpc.NewClient(to, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{})))
	if err != nil {
		return err
	}
	lis, err := net.Listen("tcp", from)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}), grpc.UnknownServiceHandler(func(_ any, in grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(in)
		return relay(in, conn, method)
	}))
	context.AfterFunc(ctx, server.Stop)
	return server.Serve(lis)
}

// relay passes one call on: a request of one message, and its answers.
func relay(in grpc.ServerStream, conn *grpc.ClientConn, method string) error {
	out, err := conn.NewStream(in.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	if err := pass(in.RecvMsg, out.SendMsg); err != nil {
		return err
	}
	if err := out.CloseSend(); err != nil {
		return err
	}
	for err == nil {
		err = pass(out.RecvMsg, in.SendMsg)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// pass passes one message on.
func pass(receive, send func(any) error) error {
	var message mem.BufferSlice
	if err := receive(&message); err != nil {
		return err
	}
	defer message.Free()
	return send(&message)
}

// bytesCodec leaves messages as they are.
type bytesCodec struct{}

var _ encoding.CodecV2 = bytesCodec{}

// Name implements encoding.CodecV2.
func (bytesCodec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(*mem.BufferSlice)
	if !ok {
		return nil, status.Errorf(codes.Internal, "a message of type %T", v)
	}
	message.Ref()
	return *message, nil
}

// Unmarshal implements encoding.CodecV2.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(*mem.BufferSlice)
	if !ok {
		return status.Errorf(codes.Internal, "a message of type %T", v)
	}
	data.Ref()
	*message = data
	return nil
}
