package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// upload is a way to send a recording. It returns how to hang up, in the middle of
// the upload.
type upload struct {
	surface string
	begin   func(context.Context, *client) (hangUp func(), err error)
}

// uploads are one for each surface.
func uploads() []upload {
	sound := bytes.Repeat([]byte("\x12\x34\xe0\xc8"), 2*megabyte) // four minutes of a tone
	form := "--x\r\nContent-Disposition: form-data; name=file; filename=a\r\nContent-Type: audio/l16\r\n\r\n"
	rpc := framed(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE},
	}}})
	for range 8 {
		rpc = append(rpc, framed(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: sound[:megabyte]}})...)
	}
	const transcribe = gatewayv1.ModelGatewayService_Transcribe_FullMethodName
	return []upload{
		{"HTTP/1.1", overHTTP1("/v1/transcribe?encoding=pcm_s16le", "application/octet-stream", sound, 2*len(sound))},
		{"HTTP/1.1, whole", overHTTP1("/v1/transcribe?encoding=pcm_s16le", "application/octet-stream", sound, len(sound))},
		{"form", overHTTP1("/v1/transcribe?encoding=pcm_s16le", "multipart/form-data; boundary=x", append([]byte(form), sound...), 2*len(sound))},
		{"gRPC-Web", overHTTP1(transcribe, "application/grpc-web+proto", rpc, 2*len(rpc))},
		{"Connect", overHTTP1(transcribe, "application/connect+proto\r\nConnect-Protocol-Version: 1", rpc, 2*len(rpc))},
		{"HTTP/2", overHTTP2(func(c *client) string { return c.httpAddr }, "/v1/transcribe?encoding=pcm_s16le", "application/octet-stream", sound)},
		{"gRPC", overHTTP2(func(c *client) string { return c.grpcAddr }, transcribe, "application/grpc", rpc)},
		{"WebSocket", overSocket(sound)},
	}
}

// framed returns a message in the framing of gRPC.
func framed(m proto.Message) []byte {
	data, err := proto.Marshal(m)
	if err != nil {
		panic(err) // of our own message
	}
	return frame(0, data)
}

func overHTTP1(path, contentType string, body []byte, length int) func(context.Context, *client) (func(), error) {
	return func(ctx context.Context, c *client) (func(), error) {
		conn, hangUp, err := c.connect(ctx, c.httpAddr)
		if err != nil {
			return nil, err
		}
		go func() { // the server may read slowly
			_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, contentType, length)
			_, _ = conn.Write(body)
		}()
		return hangUp, nil
	}
}

func overHTTP2(address func(*client) string, path, contentType string, body []byte) func(context.Context, *client) (func(), error) {
	return func(ctx context.Context, c *client) (func(), error) {
		conns := make(chan net.Conn, 1)
		t := c.transport(true)
		t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := c.dialContext(ctx, network, address)
			conns <- conn
			return conn, err
		}
		go c.post(ctx, t, "http://"+address(c)+path, io.MultiReader(bytes.NewReader(body), blocked{ctx}), "Content-Type", contentType, "Te", "trailers")
		select {
		case conn := <-conns:
			return func() { _ = conn.Close() }, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func overSocket(sound []byte) func(context.Context, *client) (func(), error) {
	return func(ctx context.Context, c *client) (func(), error) {
		conn, err := c.socket(ctx, "/v1/transcribe/ws?encoding=pcm_s16le")
		if err != nil {
			return nil, err
		}
		go func() {
			for range 8 {
				_ = conn.WriteMessage(websocket.BinaryMessage, sound[:megabyte/2])
			}
		}()
		return func() { _ = conn.NetConn().Close() }, nil
	}
}

// measureLeases begins uploads and hangs up, and returns for each surface how long
// the server kept the lease.
func measureLeases(ctx context.Context, s *server, rounds int) (map[string]series, error) {
	c := &client{dialer: dialerFrom(hostileAddress), grpcAddr: s.grpc, httpAddr: s.http}
	out := map[string]series{}
	for _, u := range uploads() {
		for range rounds {
			if err := s.awaitIdle(ctx); err != nil {
				return nil, err
			}
			took, err := measureLease(ctx, s, c, u)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", u.surface, err)
			}
			out[u.surface] = append(out[u.surface], took)
		}
	}
	return out, nil
}

func measureLease(ctx context.Context, s *server, c *client, u upload) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hangUp, err := u.begin(ctx, c)
	if err != nil {
		return 0, err
	}
	defer hangUp()
	for {
		st, err := s.status(ctx)
		if err != nil {
			return 0, fmt.Errorf("the upload did not get a lease: %w", err)
		}
		if leases(st) > 0 {
			break
		}
		rest(ctx, 2*time.Millisecond)
	}
	hangUp()
	start := time.Now()
	err = s.awaitIdle(ctx)
	return time.Since(start), err
}
