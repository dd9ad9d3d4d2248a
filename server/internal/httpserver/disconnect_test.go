package httpserver_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// stalledModels is a configuration whose engine reads the first audio of a
// transcription and no more, until the request is cancelled.
var stalledModels = strings.Replace(servertest.SpeechModels, "threads: 1,", "threads: 1, parameters: {fault: stall},", 1)

// uploadBytes is more than what the pipes between a client and an engine hold.
const uploadBytes = 21 << 20

// A client that is gone gives its lease back, in the middle of its upload and after
// it, while the engine reads nothing.
func TestDisconnectReturnsTheLease(t *testing.T) {
	r := start(t, stalledModels)
	const audio, chunked = "Content-Type: audio/wav\n", "Transfer-Encoding: chunked\n\n"
	formHead := "Content-Type: multipart/form-data; boundary=x\n"
	part := "--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\n\n", n) }
	zeros := func(n int64) io.Reader { return servertest.Zeros(n) }
	text := func(s string) io.Reader { return strings.NewReader(s) }
	aChunk := io.MultiReader(text(fmt.Sprintf("%x\r\n", uploadBytes)), zeros(uploadBytes), text("\r\n"))
	json := `{"audio":"` + base64.StdEncoding.EncodeToString(make([]byte, 1<<20)) + `"}`
	rpc := rpcUpload(t)
	for name, upload := range map[string]func(*testing.T, *servertest.Running) func(){
		"whole body":        post("/v1/transcribe", audio+length(uploadBytes), zeros(uploadBytes)),
		"part of a body":    post("/v1/transcribe", audio+length(10*uploadBytes), zeros(uploadBytes)),
		"part, undeclared":  post("/v1/transcribe", "Content-Type: application/x-www-form-urlencoded\n"+length(uploadBytes+1), zeros(uploadBytes)),
		"part of chunks":    post("/v1/transcribe", audio+chunked, aChunk),
		"whole form":        post("/v1/transcribe", formHead+length(len(part)+uploadBytes+9), io.MultiReader(text(part), zeros(uploadBytes), text("\r\n--x--\r\n"))),
		"part of a form":    post("/v1/transcribe", formHead+length(10*uploadBytes), io.MultiReader(text(part), zeros(uploadBytes))),
		"JSON":              post("/v1/transcribe", "Content-Type: application/json\n"+length(len(json)), text(json)),
		"gRPC-Web":          post(transcribeRPC, "Content-Type: application/grpc-web+proto\n"+length(len(rpc)), bytes.NewReader(rpc)),
		"part of gRPC-Web":  post(transcribeRPC, "Content-Type: application/grpc-web+proto\n"+length(10*len(rpc)), bytes.NewReader(rpc)),
		"Connect":           post(transcribeRPC, "Content-Type: application/connect+proto\nConnect-Protocol-Version: 1\n"+length(len(rpc)), bytes.NewReader(rpc)),
		"part of Connect":   post(transcribeRPC, "Content-Type: application/connect+proto\nConnect-Protocol-Version: 1\n"+length(10*len(rpc)), bytes.NewReader(rpc)),
		"HTTP/2":            postHTTP2(false),
		"reset over HTTP/2": postHTTP2(true),
		"gRPC":              uploadGRPC,
		"gRPC both ways":    streamGRPC,
		"WebSocket":         streamSocket,
		"more than is read": fillReadAhead,
	} {
		t.Run(name, func(t *testing.T) {
			hangUp := upload(t, r)
			servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 1 })
			hangUp()
			gone := time.Now()
			servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
			t.Log("the lease came back after", time.Since(gone))
		})
	}
}

// fillReadAhead sends more of a recording than the server reads ahead. The end of
// the connection comes to the server behind bytes that it does not read.
func fillReadAhead(t *testing.T, r *servertest.Running) func() {
	for {
		conn := sendMoreThanIsRead(t, r)
		if servertest.SendWindow(t, conn) > 0 {
			return func() { _ = conn.Close() }
		}
		// The kernel keeps the end of the connection until the server reads.
		_ = conn.SetLinger(0)
		_ = conn.Close()
		servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
	}
}

func sendMoreThanIsRead(t *testing.T, r *servertest.Running) *net.TCPConn {
	conn := r.Dial(t, "POST /v1/transcribe HTTP/1.1\nHost: localhost\nContent-Type: audio/wav\nContent-Length: 1000000000\n\n")
	const enough = 128 << 10 // more than one read takes
	if _, err := io.Copy(conn, servertest.Zeros(inflight.MaxAhead)); err != nil {
		t.Fatal(err)
	}
	// The server reads as long as a pipe on the way to the engine has room.
	for last, same := 0, 0; last < enough || same < 5; {
		unread := servertest.Unread(t, conn)
		if same++; unread != last {
			last, same = unread, 0
		}
		if unread < enough {
			if _, err := conn.Write(make([]byte, 32<<10)); err != nil {
				t.Fatal(err)
			}
		}
		closed, tcp := 0, conn.(*net.TCPConn)
		servertest.Eventually(t, func() bool {
			if closed++; servertest.SendWindow(t, tcp) > 0 {
				closed = 0
			}
			return closed == 20 || servertest.Unsent(t, conn) == 0
		})
		if closed == 20 {
			break // the server reads no more, and the kernel accepts no more
		}
	}
	return conn.(*net.TCPConn)
}

const transcribeRPC = gatewayv1.ModelGatewayService_Transcribe_FullMethodName

// post sends a request over HTTP/1.1. The returned function closes its
// connection.
func post(path, head string, body io.Reader) func(*testing.T, *servertest.Running) func() {
	return func(t *testing.T, r *servertest.Running) func() {
		conn := r.Dial(t, "POST "+path+" HTTP/1.1\nHost: localhost\n"+head)
		if _, err := io.Copy(conn, body); err != nil {
			t.Fatal(err)
		}
		return func() { _ = conn.Close() }
	}
}

// rpcUpload returns the messages of a transcription in the framing that gRPC-Web
// and Connect share.
func rpcUpload(t *testing.T) []byte {
	t.Helper()
	var body []byte
	add := func(m *gatewayv1.TranscribeRequest) {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		body = append(binary.BigEndian.AppendUint32(append(body, 0), uint32(len(data))), data...)
	}
	add(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{}}})
	for range 4 {
		add(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: make([]byte, 1<<20)}})
	}
	return body
}

// postHTTP2 sends a part of a body over HTTP/2. The returned function resets the
// stream, or closes the connection.
func postHTTP2(reset bool) func(*testing.T, *servertest.Running) func() {
	return func(t *testing.T, r *servertest.Running) func() {
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		conns := make(chan net.Conn, 1)
		transport := &http.Transport{Protocols: &protocols, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			conns <- conn
			return conn, err
		}}
		ctx, cancel := context.WithCancel(t.Context())
		rest, more := io.Pipe()
		// The transport resets the stream only when the body's Read has returned: Close
		// must end it.
		body := struct {
			io.Reader
			io.Closer
		}{io.MultiReader(servertest.Zeros(uploadBytes), rest), rest}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/v1/transcribe", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "audio/wav")
		go func() {
			if resp, err := transport.RoundTrip(req); err == nil {
				_ = resp.Body.Close()
			}
		}()
		t.Cleanup(func() {
			cancel()
			_ = more.Close()
			transport.CloseIdleConnections()
		})
		conn := <-conns
		return func() {
			if reset {
				cancel()
				return
			}
			_ = conn.Close()
		}
	}
}

// dialGRPC returns a client with a connection of its own.
func dialGRPC(t *testing.T, r *servertest.Running) (gatewayv1.ModelGatewayServiceClient, func()) {
	t.Helper()
	conn, err := grpc.NewClient(r.GRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	closeConn := func() { _ = conn.Close() }
	t.Cleanup(closeConn)
	return gatewayv1.NewModelGatewayServiceClient(conn), closeConn
}

// uploadGRPC sends audio over gRPC until the connection closes.
func uploadGRPC(t *testing.T, r *servertest.Running) func() {
	client, hangUp := dialGRPC(t, r)
	stream, err := client.Transcribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{}}})
	go func() {
		for err := error(nil); err == nil; {
			err = stream.Send(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: make([]byte, 1<<20)}})
		}
	}()
	return hangUp
}

// streamGRPC sends all of its audio over gRPC, both ways.
func streamGRPC(t *testing.T, r *servertest.Running) func() {
	client, hangUp := dialGRPC(t, r)
	stream, err := client.StreamTranscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{}}})
	_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: make([]byte, 1000)}})
	_ = stream.CloseSend()
	return hangUp
}

// streamSocket sends audio over a WebSocket.
func streamSocket(t *testing.T, r *servertest.Running) func() {
	conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(r.URL, "http")+"/v1/transcribe/ws?language=en", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for range uploadBytes >> 19 {
		if err := conn.WriteMessage(websocket.BinaryMessage, make([]byte, 512<<10)); err != nil {
			t.Fatal(err)
		}
	}
	return func() { _ = conn.NetConn().Close() }
}
