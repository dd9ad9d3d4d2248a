package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	megabyte = 1 << 20
	// largest is the size of the messages that the server accepts with its built-in
	// configuration.
	largest = 64 * megabyte
)

// abandonUploads (A1) uploads recordings and leaves before the answer.
func abandonUploads(ctx context.Context, c *client) {
	const stay = 300 * time.Millisecond
	uploads := [][]byte{
		flacFile(0, 82*time.Hour), // 1 MB, that is refused
		flacFile(30*time.Second, 2*time.Hour),
		make([]byte, 21*megabyte),
	}
	leave := func(ctx context.Context, body []byte, length int) {
		conn, hangUp, err := c.connect(ctx, c.httpAddr)
		if err != nil {
			return
		}
		defer hangUp()
		// The server may read none of it.
		_ = conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
		_, _ = fmt.Fprintf(conn, "POST /v1/transcribe?encoding=%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
			encodingOf(body), length)
		_, _ = conn.Write(body)
		rest(ctx, stay)
		c.ended(false)
	}
	all(
		func() { many(ctx, 2, 0, func(ctx context.Context) { leave(ctx, uploads[0], len(uploads[0])) }) },
		func() { many(ctx, 2, 0, func(ctx context.Context) { leave(ctx, uploads[1], len(uploads[1])) }) },
		func() { many(ctx, 2, 0, func(ctx context.Context) { leave(ctx, uploads[2], 2*len(uploads[2])) }) },
	)
}

// encodingOf returns what a query says of a recording.
func encodingOf(recording []byte) string {
	if bytes.HasPrefix(recording, []byte("fLaC")) {
		return "flac"
	}
	return "pcm_s16le"
}

// sendEndlessBodies (A2) sends bodies without end, with the content types of
// protocols that have streams, to paths that have none.
func sendEndlessBodies(ctx context.Context, c *client) {
	t := c.transport(false)
	defer t.CloseIdleConnections()
	types := []string{"application/grpc", "application/grpc-web+proto", "application/connect+proto", "application/proto", "application/octet-stream", "multipart/form-data; boundary=x"}
	paths := []string{
		"/v1/tasks/Transcribe", "/v1/chat", "/v1/models/whisper:invoke", "/v1/transcriptions/Transcribe:push", "/nothing/Transcribe",
		gatewayv1.ModelGatewayService_Recognize_FullMethodName, gatewayv1.ModelGatewayService_ExecuteTask_FullMethodName,
	}
	var n atomic.Int64
	many(ctx, 4, 50*time.Millisecond, func(ctx context.Context) {
		i := int(n.Add(1))
		c.postRefused(ctx, t, "http://"+c.httpAddr+paths[i%len(paths)], io.LimitReader(zeros{}, 256*megabyte),
			"Content-Type", types[i%len(types)], "Connect-Protocol-Version", "1")
	})
}

// sendBombs (A3) sends messages that expand, and messages that do not end.
func sendBombs(ctx context.Context, c *client) {
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	_, _ = io.Copy(z, io.LimitReader(zeros{}, largest-megabyte))
	_ = z.Close()
	const (
		recognize  = gatewayv1.ModelGatewayService_Recognize_FullMethodName
		transcribe = gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName
	)
	message := frame(1, small.Bytes())
	one, two := c.transport(false), c.transport(true)
	bomb := func(ctx context.Context) {
		for _, address := range []string{c.grpcAddr, c.httpAddr} {
			for _, method := range []string{recognize, transcribe} {
				c.postRefused(ctx, two, "http://"+address+method, bytes.NewReader(message), "Content-Type", "application/grpc", "Te", "trailers", "Grpc-Encoding", "gzip")
			}
		}
		for _, kind := range []string{"application/grpc-web+proto", "application/connect+proto"} {
			c.postRefused(ctx, one, "http://"+c.httpAddr+transcribe, bytes.NewReader(message),
				"Content-Type", kind, "Grpc-Encoding", "gzip", "Connect-Content-Encoding", "gzip", "Connect-Protocol-Version", "1")
		}
		for _, path := range []string{"/v1/pronunciation", "/v1/transcribe", recognize} {
			c.postRefused(ctx, one, "http://"+c.httpAddr+path, bytes.NewReader(small.Bytes()),
				"Content-Type", "application/json", "Content-Encoding", "gzip", "Connect-Protocol-Version", "1")
		}
	}
	// Forty messages that lack a byte share the memory until this ends.
	const unfinished, size = 40, 31 * megabyte
	hold := func(ctx context.Context, address, method string) {
		body := io.MultiReader(
			bytes.NewReader(binary.BigEndian.AppendUint32([]byte{0}, size+1)),
			io.LimitReader(zeros{}, size), blocked{ctx})
		c.post(ctx, two, "http://"+address+method, body, "Content-Type", "application/grpc", "Te", "trailers")
		rest(ctx, time.Second)
	}
	all(
		func() { many(ctx, 4, 20*time.Millisecond, bomb) },
		func() { many(ctx, unfinished/2, 0, func(ctx context.Context) { hold(ctx, c.grpcAddr, recognize) }) },
		func() { many(ctx, unfinished/2, 0, func(ctx context.Context) { hold(ctx, c.httpAddr, transcribe) }) },
	)
	one.CloseIdleConnections()
	two.CloseIdleConnections()
}

// blocked is a reader without bytes until its context ends.
type blocked struct{ ctx context.Context }

// Read implements io.Reader.
func (b blocked) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, io.ErrUnexpectedEOF
}

// sendWideMessages (A4) sends messages of millions of values, as JSON and as
// protobuf.
func sendWideMessages(ctx context.Context, c *client) {
	const wide = 2 * megabyte
	array := "[0" + strings.Repeat(",0", wide-1) + "]"
	names := "{\"\":0" + strings.Repeat(",\"\":0", wide/2) + "}"
	deep := strings.Repeat("[", megabyte) + strings.Repeat("]", megabyte)
	// A list of values of which none is set: two bytes each.
	list := protowire.AppendTag(nil, 6, protowire.BytesType) // google.protobuf.Value.list_value
	list = protowire.AppendBytes(list, bytes.Repeat([]byte{0x0a, 0x00}, wide))
	entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "a")
	entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), list)
	params := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), entry)
	task := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "chat")
	task = protowire.AppendBytes(protowire.AppendTag(task, 2, protowire.BytesType), params)
	const execute = gatewayv1.ModelGatewayService_ExecuteTask_FullMethodName
	framed := frame(0, task)
	one, two := c.transport(false), c.transport(true)
	defer one.CloseIdleConnections()
	defer two.CloseIdleConnections()
	bodies := []string{
		`{"params":{"a":` + array + `}}`, `{"params":` + names + `}`, `{"params":{"a":` + deep + `}}`,
		`{"params":{"a":` + strings.TrimSuffix(strings.Repeat(array+",", 10), ",") + `}}`,
		`{"messages":` + array + `}`, array,
	}
	const asJSON, asProto = "application/json", "application/proto"
	many(ctx, 1, 50*time.Millisecond, func(ctx context.Context) {
		for i, path := range []string{"/v1/tasks/chat", "/v1/tasks/grammar", "/v1/models/qwen:invoke", execute, "/v1/chat", "/v1/grammar"} {
			c.postRefused(ctx, one, "http://"+c.httpAddr+path, strings.NewReader(bodies[i]), "Content-Type", asJSON, "Connect-Protocol-Version", "1")
		}
		c.postRefused(ctx, one, "http://"+c.httpAddr+execute, bytes.NewReader(task), "Content-Type", asProto, "Connect-Protocol-Version", "1")
		c.postRefused(ctx, one, "http://"+c.httpAddr+execute, bytes.NewReader(framed), "Content-Type", "application/grpc-web+proto")
		c.postRefused(ctx, two, "http://"+c.grpcAddr+execute, bytes.NewReader(framed), "Content-Type", "application/grpc", "Te", "trailers")
	})
}

// frame returns a message in the framing of gRPC; flags 1 is compressed.
func frame(flags byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(message))), message...) //nolint:gosec // some megabytes
}
