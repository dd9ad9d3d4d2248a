package modelgateway_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// resets is a proxy whose server is gone: it resets each stream, after the first message of
// an answer if there is one.
type resets struct {
	code    http2.ErrCode
	message proto.Message
	delay   time.Duration
	streams atomic.Int32
}

// start returns the address of the proxy.
func (r *resets) start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return l.Addr().String()
}

func (r *resets) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	_ = framer.WriteSettings()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			r.streams.Add(1)
			if r.message != nil {
				r.answer(framer, frame.StreamID)
			}
			time.Sleep(r.delay)
			_ = framer.WriteRSTStream(frame.StreamID, r.code)
		}
	}
}

// answer begins an answer and sends its first message.
func (r *resets) answer(framer *http2.Framer, stream uint32) {
	var block bytes.Buffer
	headers := hpack.NewEncoder(&block)
	_ = headers.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = headers.WriteField(hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
	message, _ := proto.Marshal(r.message)
	_ = framer.WriteData(stream, false, append([]byte{0, 0, 0, 0, byte(len(message))}, message...))
}

// A call that a proxy resets is not one that its caller has cancelled, whatever code the
// proxy sends: it is told from it, and made again if nothing was received.
func TestResetStreamIsUnreachable(t *testing.T) {
	for _, code := range []http2.ErrCode{http2.ErrCodeCancel, http2.ErrCodeInternal, http2.ErrCodeNo, http2.ErrCodeRefusedStream} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			check := func(what string, err error, r *resets, streams int32) {
				t.Helper()
				if !errors.Is(err, modelgateway.ErrUnreachable) || errors.Is(err, modelgateway.ErrCancelled) || errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", what, err)
				}
				// grpc-go itself repeats a stream that was refused.
				if got := r.streams.Load(); got != streams && code != http2.ErrCodeRefusedStream {
					t.Errorf("%s: %d attempts, want %d", what, got, streams)
				}
			}
			unary := &resets{code: code}
			_, err := client(t, unary.start(t)).Chat(t.Context(), &gatewayv1.ChatRequest{})
			check("Chat", err, unary, 3)

			begun := &resets{code: code, message: &gatewayv1.StreamChatResponse{Delta: "Hello"}}
			stream, err := client(t, begun.start(t)).StreamChat(t.Context(), &gatewayv1.StreamChatRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := stream.Recv(); err != nil || got.GetDelta() != "Hello" {
				t.Fatalf("got %v, %v", got, err)
			}
			_, err = stream.Recv()
			check("StreamChat after its first message", err, begun, 1)
		})
	}
}

// A reset at the deadline is the deadline's: the server's clock was ahead.
func TestResetAtTheDeadline(t *testing.T) {
	r := &resets{code: http2.ErrCodeCancel, delay: 50 * time.Millisecond}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := client(t, r.start(t)).Chat(ctx, &gatewayv1.ChatRequest{})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, modelgateway.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	if e := modelgateway.ErrorOf(err); e == nil || !strings.Contains(e.Error(), "deadline") {
		t.Errorf("%v", err)
	}
}
