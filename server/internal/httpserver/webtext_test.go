package httpserver_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

const asWebText = "Content-Type: application/grpc-web-text\nAccept: application/grpc-web-text\nX-Grpc-Web: 1"

// webFrame returns a message in a frame of gRPC-Web.
func webFrame(t *testing.T, msg proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data))), data...)
}

// quads decodes base64 as the official client does: any group may have padding.
func quads(r io.Reader) io.Reader {
	in, out := bufio.NewReader(r), &bytes.Buffer{}
	return readerFunc(func(p []byte) (int, error) {
		for out.Len() == 0 {
			group := make([]byte, 4)
			if _, err := io.ReadFull(in, group); err != nil {
				return 0, err // in the middle of a group: io.ErrUnexpectedEOF
			}
			decoded, err := base64.StdEncoding.AppendDecode(nil, group)
			if err != nil {
				return 0, err
			}
			out.Write(decoded)
		}
		return out.Read(p)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// readFrame returns the flags and the data of a frame.
func readFrame(r io.Reader) (byte, []byte, error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, nil, err
	}
	data := make([]byte, binary.BigEndian.Uint32(header[1:]))
	_, err := io.ReadFull(r, data)
	return header[0], data, err
}

func TestWebText(t *testing.T) {
	r := start(t, servertest.FaultModels)
	chat := webFrame(t, &gatewayv1.ChatRequest{Messages: servertest.UserMessage("Hello")})
	stream := webFrame(t, &gatewayv1.StreamChatRequest{Messages: servertest.UserMessage("Hello")})
	whole := base64.StdEncoding.EncodeToString
	const binaryWeb = "application/grpc-web+proto"
	const text, textProto = "application/grpc-web-text", "application/grpc-web-text+proto"
	for name, c := range map[string]struct {
		method, media, accept, body string
		want                        string // the Content-Type of the answer
	}{
		"unary":              {"Chat", text, text, whole(chat), textProto},
		"with a codec":       {"Chat", textProto, textProto, whole(chat), textProto},
		"padded pieces":      {"Chat", text, text, whole(chat[:1]) + whole(chat[1:6]) + whole(chat[6:]), textProto},
		"no Accept":          {"Chat", text, "", whole(chat), textProto},
		"any Accept":         {"Chat", text, "*/*", whole(chat), textProto},
		"binary answer":      {"Chat", text, binaryWeb, whole(chat), binaryWeb},
		"binary request":     {"Chat", binaryWeb, text, string(chat), textProto},
		"stream":             {"StreamChat", text, text, whole(stream), textProto},
		"stream, any pieces": {"StreamChat", text, text, whole(stream[:4]) + whole(stream[4:]), textProto},
	} {
		header := "Content-Type: " + c.media
		if c.accept != "" {
			header += "\nAccept: " + c.accept
		}
		resp, body := sendRaw(t, r.URL+rpcService+c.method, header, c.body)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != c.want {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
			continue
		}
		answer := io.Reader(strings.NewReader(body))
		if c.want != binaryWeb {
			answer = quads(answer)
		}
		said, trailers := "", ""
		for {
			flags, data, err := readFrame(answer)
			if err != nil {
				if err != io.EOF {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
			one, piece := &gatewayv1.ChatResponse{}, &gatewayv1.StreamChatResponse{}
			switch {
			case flags == 0x80:
				trailers = string(data)
			case c.method == "Chat" && proto.Unmarshal(data, one) == nil:
				said += one.GetMessage().GetContent()
			case proto.Unmarshal(data, piece) == nil:
				said += piece.GetDelta()
			}
		}
		if !strings.Contains(said, "quick brown fox") || !strings.Contains(strings.ToLower(trailers), "grpc-status: 0\r\n") {
			t.Errorf("%s: %q, trailers %q", name, said, trailers)
		}
	}
}

// Each message of a stream arrives before the next is made.
func TestWebTextIsFlushed(t *testing.T) {
	r := start(t, servertest.FaultModels)
	request := webFrame(t, &gatewayv1.StreamChatRequest{Messages: servertest.UserMessage(`fault: {"fault":"stall","fault_after_tokens":1}`)})
	req, err := http.NewRequestWithContext(servertest.Within(t, time.Minute), http.MethodPost, r.URL+rpcService+"StreamChat",
		strings.NewReader(base64.StdEncoding.EncodeToString(request)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc-web-text")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if flags, data, err := readFrame(quads(resp.Body)); err != nil || flags != 0 || len(data) == 0 {
		t.Errorf("%d %q %v", flags, data, err)
	}
}

func TestWebTextErrors(t *testing.T) {
	r := start(t, servertest.FaultModels+"limits: {max_request_mb: 1}\n")
	for name, c := range map[string]struct{ path, body, status, reason string }{
		"no base64":     {rpcService + "Chat", "!!!!", "3", "INVALID_REQUEST"},
		"cut off":       {rpcService + "Chat", "AAA", "3", "INVALID_REQUEST"},
		"frame cut off": {rpcService + "Chat", "AAAA", "3", "INVALID_REQUEST"},
		"wire format":   {rpcService + "Chat", base64.StdEncoding.EncodeToString([]byte("\x00\x00\x00\x00\x01\xff")), "3", "INVALID_REQUEST"},
		"rule":          {rpcService + "Chat", "AAAAAAA=", "3", "INVALID_REQUEST"},
		"too large":     {rpcService + "Chat", strings.Repeat("A", 5<<20), "3", "INVALID_REQUEST"},
		"no method":     {rpcService + "Nothing", "AAAAAAA=", "12", "INVALID_REQUEST"},
	} {
		resp, body := sendRaw(t, r.URL+c.path, asWebText, c.body)
		details, _ := base64.RawStdEncoding.DecodeString(resp.Header.Get("Grpc-Status-Details-Bin"))
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Grpc-Status") != c.status || !strings.Contains(string(details), c.reason) ||
			!strings.HasPrefix(resp.Header.Get("Content-Type"), "application/grpc-web-text") || body != "" {
			t.Errorf("%s: %d %v %.100q", name, resp.StatusCode, resp.Header, body)
		}
	}
}

// Types in which no RPC can come are 415; a charset that JSON has anyway is none.
func TestMediaTypesOfRPCs(t *testing.T) {
	r := start(t, servertest.FaultModels)
	for media, want := range map[string]int{
		"application/grpc-web-thrift":         415,
		"text/plain":                          415,
		"application/xml":                     415,
		"application/json":                    200,
		"application/json;charset=UTF-8":      200,
		"application/json; charset=utf-8":     200,
		"application/json; charset=shift_jis": 415,
	} {
		header := fmt.Sprintf("Content-Type: %s\nConnect-Protocol-Version: 1", media)
		resp, text := sendRaw(t, r.URL+rpcService+"Chat", header, userSays)
		if resp.StatusCode != want || want == 415 && !strings.Contains(text, "INVALID_REQUEST") {
			t.Errorf("%s: %d %s", media, resp.StatusCode, text)
		}
	}
	resp, text := sendRaw(t, r.URL+rpcService+"Chat", asJSON, userSays)
	if resp.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(text, "Connect-Protocol-Version: 1") {
		t.Errorf("without the header: %d %s", resp.StatusCode, text)
	}
}
