package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
)

// rpcCall is a call with its messages, as JSON, to be made on any surface.
type rpcCall struct {
	rpc      string
	messages []string
	rest     string // its path over REST; empty: it has none
	endless  bool   // the answer does not end: its first message is enough
}

// method returns the description of the RPC.
func (c rpcCall) method(t *testing.T) protoreflect.MethodDescriptor {
	t.Helper()
	name := strings.ReplaceAll(strings.TrimPrefix(c.rpc, "/"), "/", ".")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		t.Fatal(err)
	}
	return d.(protoreflect.MethodDescriptor)
}

// servedOver reports whether a surface has the call: browsers and HTTP/1.1 cannot send
// and receive streams at once.
func (c rpcCall) servedOver(surface string) bool {
	return c.rpc != gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName || !strings.HasPrefix(surface, "gRPC-Web") && surface != "Connect"
}

// binary returns the messages in the form of protobuf.
func (c rpcCall) binary(t *testing.T) [][]byte {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(c.method(t).Input().FullName())
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, text := range c.messages {
		m := kind.New().Interface()
		if err := protojson.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	return all
}

// surfaces are the ways to make a call with a credential. Each returns the code of its
// end.
var surfaces = map[string]func(t *testing.T, g *guarded, c rpcCall, credential string) codes.Code{
	"gRPC": overGRPC, "gRPC-Web": overWeb, "gRPC-Web as text": overWebText, "Connect": overConnect, "gRPC over HTTP": overHTTP2, "REST": overREST,
}

func overGRPC(t *testing.T, g *guarded, c rpcCall, credential string) codes.Code {
	t.Helper()
	return overConn(t, g.conn, c, credential)
}

func overConn(t *testing.T, conn *grpc.ClientConn, c rpcCall, credential string) codes.Code {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+credential)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, c.rpc)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range c.binary(t) {
		m := &emptypb.Empty{}
		m.ProtoReflect().SetUnknown(raw)
		if err := stream.SendMsg(m); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	_ = stream.CloseSend()
	for {
		switch err := stream.RecvMsg(&emptypb.Empty{}); {
		case errors.Is(err, io.EOF) || err == nil && c.endless:
			return codes.OK
		case err != nil:
			return status.Code(err)
		}
	}
}

// frame puts the messages into the frames of gRPC and Connect.
func frame(messages [][]byte) []byte {
	var body []byte
	for _, m := range messages {
		body = append(body, 0)
		body = binary.BigEndian.AppendUint32(body, uint32(len(m))) //nolint:gosec // short
		body = append(body, m...)
	}
	return body
}

// unframe returns the last frame of a body that has a flag, and how many have none.
func unframe(body []byte, flag byte) (last []byte, others int) {
	for len(body) >= 5 {
		n := int(binary.BigEndian.Uint32(body[1:5]))
		if len(body) < 5+n {
			break
		}
		if body[0] == flag {
			last = body[5 : 5+n]
		} else {
			others++
		}
		body = body[5+n:]
	}
	return last, others
}

// send sends a request and returns its answer, of which an endless one is read for its
// first message only.
func send(t *testing.T, g *guarded, c rpcCall, method, path string, body []byte, credential string, header ...string) (*http.Response, []byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, g.http+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if !c.endless || resp.StatusCode != http.StatusOK || resp.Header.Get("Grpc-Status") != "" {
		answer, _ := io.ReadAll(resp.Body)
		return resp, answer
	}
	piece := make([]byte, 1<<16)
	var answer []byte
	for { // a message, or the end
		n, err := resp.Body.Read(piece)
		answer = append(answer, piece[:n]...)
		if _, messages := unframe(answer, 0x80); err != nil || messages > 0 || bytes.Contains(answer, []byte("\n")) {
			return resp, answer
		}
	}
}

func overWeb(t *testing.T, g *guarded, c rpcCall, credential string) codes.Code {
	t.Helper()
	resp, body := send(t, g, c, http.MethodPost, c.rpc, frame(c.binary(t)), credential, "Content-Type", "application/grpc-web+proto")
	return webCode(t, c, resp, body)
}

func overWebText(t *testing.T, g *guarded, c rpcCall, credential string) codes.Code {
	t.Helper()
	if c.endless {
		return overWeb(t, g, c, credential) // the pieces of base64 end anywhere
	}
	text := base64.StdEncoding.EncodeToString(frame(c.binary(t)))
	resp, body := send(t, g, c, http.MethodPost, c.rpc, []byte(text), credential, "Content-Type", "application/grpc-web-text")
	return webCode(t, c, resp, decodeText(body))
}

// decodeText decodes base64 of which each piece may have its padding.
func decodeText(text []byte) []byte {
	var all []byte
	for ; len(text) >= 4; text = text[4:] {
		piece, err := base64.StdEncoding.DecodeString(string(text[:4]))
		if err != nil {
			break
		}
		all = append(all, piece...)
	}
	return all
}

func webCode(t *testing.T, c rpcCall, resp *http.Response, body []byte) codes.Code {
	t.Helper()
	if code := resp.Header.Get("Grpc-Status"); code != "" {
		return number(t, code)
	}
	if resp.StatusCode != http.StatusOK {
		return httpCode(resp)
	}
	trailer, messages := unframe(body, 0x80)
	for _, line := range strings.Split(string(trailer), "\r\n") {
		if code, ok := strings.CutPrefix(strings.ToLower(line), "grpc-status:"); ok {
			return number(t, strings.TrimSpace(code))
		}
	}
	if c.endless && messages > 0 {
		return codes.OK
	}
	t.Fatalf("%s: no status in %q", c.rpc, body)
	return codes.Unknown
}

func number(t *testing.T, text string) codes.Code {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return codes.Code(n) //nolint:gosec // a code
}

func httpCode(resp *http.Response) codes.Code {
	switch resp.StatusCode {
	case http.StatusOK:
		return codes.OK
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	}
	return codes.Unknown
}

func overHTTP2(t *testing.T, g *guarded, c rpcCall, credential string) codes.Code {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(g.http, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return overConn(t, conn, c, credential)
}

func overConnect(t *testing.T, g *guarded, c rpcCall, credential string) codes.Code {
	t.Helper()
	if d := c.method(t); !d.IsStreamingClient() && !d.IsStreamingServer() {
		resp, _ := send(t, g, c, http.MethodPost, c.rpc, []byte(c.messages[0]), credential, "Content-Type", "application/json", "Connect-Protocol-Version", "1")
		return httpCode(resp)
	}
	raw := make([][]byte, len(c.messages))
	for i, m := range c.messages {
		raw[i] = []byte(m)
	}
	resp, body := send(t, g, c, http.MethodPost, c.rpc, frame(raw), credential, "Content-Type", "application/connect+json", "Connect-Protocol-Version", "1")
	if resp.StatusCode != http.StatusOK {
		return httpCode(resp)
	}
	last, messages := unframe(body, 2)
	var end struct{ Error struct{ Code string } }
	if err := json.Unmarshal(last, &end); err != nil && messages == 0 {
		t.Fatalf("%s: %q, %v", c.rpc, body, err)
	}
	switch end.Error.Code {
	case "":
		return codes.OK
	case "permission_denied":
		return codes.PermissionDenied
	case "unauthenticated":
		return codes.Unauthenticated
	}
	return codes.Unknown
}

func overREST(t *testing.T, g *guarded, c rpcCall, credential string) codes.Code {
	t.Helper()
	if c.rest == "" {
		return overGRPC(t, g, c, credential)
	}
	method, path, _ := strings.Cut(c.rest, " ")
	resp, body := send(t, g, c, method, path, []byte(c.messages[0]), credential, "Content-Type", "application/json")
	if code := httpCode(resp); code != codes.OK || !strings.Contains(string(body), `"error"`) {
		return code
	}
	var failed struct{ Error struct{ Code codes.Code } } // of a stream that had begun
	for _, line := range bytes.Split(body, []byte("\n")) {
		if json.Unmarshal(line, &failed) == nil && failed.Error.Code != codes.OK {
			return failed.Error.Code
		}
	}
	return codes.OK
}

// overSocket sends messages to a WebSocket, with the credential as a browser sends it,
// and returns OK if an answer is no error.
func overSocket(t *testing.T, g *guarded, path string, messages [][]byte, credential string) codes.Code {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{sockets.Protocol, sockets.TokenProtocol + credential}}
	conn, resp, err := dialer.DialContext(within(t, time.Minute), "ws"+strings.TrimPrefix(g.http, "http")+path, nil)
	if err != nil {
		if resp == nil {
			t.Fatal(err)
		}
		return httpCode(resp)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	for _, m := range messages {
		kind := websocket.TextMessage
		if m[0] != '{' {
			kind = websocket.BinaryMessage
		}
		if err := conn.WriteMessage(kind, m); err != nil {
			break // it has been told why
		}
	}
	for {
		kind, text, err := conn.ReadMessage()
		switch {
		case err != nil:
			return codes.Unknown
		case strings.Contains(string(text), `"event_id"`) && !strings.Contains(string(text), `.completed"`) && !strings.Contains(string(text), `"error"`):
			// an event of OpenAI's API before the transcript
		case kind == websocket.BinaryMessage || !strings.Contains(string(text), `"error"`):
			return codes.OK
		case strings.Contains(strings.ToUpper(string(text)), "FORBIDDEN"):
			return codes.PermissionDenied
		case strings.Contains(strings.ToUpper(string(text)), "UNAUTHENTICATED"):
			return codes.Unauthenticated
		default:
			t.Fatalf("%s: %s", path, text)
		}
	}
}

// overForm sends a form with a recording.
func overForm(t *testing.T, g *guarded, path, credential string, fields map[string]string) codes.Code {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		_ = form.WriteField(name, value)
	}
	part, _ := form.CreateFormFile("file", "a.wav")
	_, _ = part.Write(make([]byte, 3200))
	_ = form.Close()
	resp, _ := send(t, g, rpcCall{}, http.MethodPost, path, body.Bytes(), credential, "Content-Type", form.FormDataContentType())
	return httpCode(resp)
}
