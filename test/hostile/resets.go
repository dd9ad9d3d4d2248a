package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// resetStreams (A8) begins calls and resets them, opens watchers and reads nothing
// of them, asks for answers that it does not read, and begins bodies that do not
// come.
func resetStreams(ctx context.Context, c *client) {
	chat, _ := proto.Marshal(&gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: "Hello"}}})
	const (
		chatCall   = gatewayv1.ModelGatewayService_Chat_FullMethodName
		statusCall = gatewayv1.ModelGatewayService_Status_FullMethodName
		watchCall  = gatewayv1.ModelAdminService_WatchModels_FullMethodName
	)
	all(
		func() {
			many(ctx, 2, 100*time.Millisecond, func(ctx context.Context) { c.reset(ctx, c.grpcAddr, chatCall, chat) })
		},
		func() {
			many(ctx, 2, 100*time.Millisecond, func(ctx context.Context) { c.reset(ctx, c.grpcAddr, statusCall, nil) })
		},
		func() {
			many(ctx, 2, 100*time.Millisecond, func(ctx context.Context) { c.reset(ctx, c.httpAddr, chatCall, chat) })
		},
		// 8 connections of 1,000 calls whose answers wait.
		func() { many(ctx, 4, time.Second, func(ctx context.Context) { c.stall(ctx, watchCall) }) },
		func() { many(ctx, 4, time.Second, func(ctx context.Context) { c.stall(ctx, statusCall) }) },
		func() { many(ctx, 50, time.Second, c.silentBody) },
		func() { many(ctx, 8, time.Second, c.ignoreAnswers) },
	)
}

// h2 is a connection of HTTP/2 without a client that keeps its rules.
type h2 struct {
	conn   net.Conn
	framer *http2.Framer
	out    *bytes.Buffer // frames that were not sent
	head   bytes.Buffer
	hpack  *hpack.Encoder
	next   uint32 // stream
}

// openH2 opens a connection whose answers may have so many bytes.
func (c *client) openH2(ctx context.Context, address string, window uint32) (*h2, func(), error) {
	conn, hangUp, err := c.connect(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	h := &h2{conn: conn, next: 1, out: &bytes.Buffer{}}
	h.framer = http2.NewFramer(h.out, nil)
	h.hpack = hpack.NewEncoder(&h.head)
	h.out.WriteString(http2.ClientPreface)
	// A buffer takes every frame.
	_ = h.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	return h, hangUp, h.flush()
}

func (h *h2) flush() error {
	_, err := h.out.WriteTo(h.conn)
	return err
}

// call begins a call with a message, and returns its stream.
func (h *h2) call(method string, message []byte) uint32 {
	h.head.Reset()
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "localhost"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		_ = h.hpack.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	id := h.next
	h.next += 2
	_ = h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h.head.Bytes(), EndHeaders: true})
	_ = h.framer.WriteData(id, true, frame(0, message))
	return id
}

// reset begins calls and resets them, as fast as the server reads.
func (c *client) reset(ctx context.Context, address, method string, message []byte) {
	h, hangUp, err := c.openH2(ctx, address, 65535)
	if err != nil {
		return
	}
	defer hangUp()
	go func() { _, _ = io.Copy(io.Discard, h.conn) }()
	const batch = 100
	for err == nil && ctx.Err() == nil {
		for range batch {
			_ = h.framer.WriteRSTStream(h.call(method, message), http2.ErrCodeCancel)
			c.ended(false)
		}
		err = h.flush()
	}
}

// stall makes a thousand calls on one connection and reads none of the answers.
func (c *client) stall(ctx context.Context, method string) {
	h, hangUp, err := c.openH2(ctx, c.grpcAddr, 0)
	if err != nil {
		return
	}
	defer hangUp()
	const calls = 1000
	for range calls {
		h.call(method, nil)
		c.ended(false)
	}
	_ = h.framer.WriteSettingsAck()
	_ = h.flush()
	_, _ = io.Copy(io.Discard, h.conn) // until the server ends it: no window is ever opened
}

// silentBody announces a body that does not come.
func (c *client) silentBody(ctx context.Context) {
	conn, hangUp, err := c.connect(ctx, c.httpAddr)
	if err != nil {
		return
	}
	defer hangUp()
	_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: 100\r\n\r\n",
		gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName)
	_, _ = io.Copy(io.Discard, conn)
	c.ended(true)
}

// ignoreAnswers asks over HTTP/1.1 again and again, and reads no answer.
func (c *client) ignoreAnswers(ctx context.Context) {
	conn, hangUp, err := c.connect(ctx, c.httpAddr)
	if err != nil {
		return
	}
	defer hangUp()
	for err == nil {
		_, err = fmt.Fprint(conn, "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	c.ended(true)
}
