package httpserver_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

const (
	rpcService = "/modelgateway.v1.ModelGatewayService/"
	asConnect  = "Content-Type: application/json\nConnect-Protocol-Version: 1"
	asProto    = "Content-Type: application/proto\nConnect-Protocol-Version: 1"
	asStream   = "Content-Type: application/connect+json"
	asWeb      = "Content-Type: application/grpc-web+proto"
	asJSON     = "Content-Type: application/json"
	asAudio    = "Content-Type: audio/wav"
)

// A mistake of the caller is INVALID_REQUEST in every protocol: the transcoder,
// grpc-go and its client report many as internal errors, without a reason.
func TestMistakesOfCallersHaveAReason(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	const chat, stream = rpcService + "Chat", rpcService + "StreamChat"
	const form = "--x\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\n\xff\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nRIFF\r\n--x--\r\n"
	const surrogate = `{"messages":[{"role":"ROLE_USER","content":"\ud800"}]}`
	const notUTF8 = "{\"messages\":[{\"role\":\"ROLE_USER\",\"content\":\"\xff\"}]}"
	for name, c := range map[string]struct{ path, header, body, want string }{
		"Connect, no object":           {chat, asConnect, "[", "cannot be read"},
		"Connect, empty":               {chat, asConnect, "", "empty"},
		"Connect, wire format":         {chat, asProto, "\xff\xff", "cannot be decoded"},
		"Connect, gzip":                {chat, asConnect + "\nContent-Encoding: gzip", "not gzip at all", "gzip"},
		"Connect, wire format, gzip":   {chat, asProto + "\nContent-Encoding: gzip", "no", "gzip"},
		"Connect, unknown compression": {chat, asConnect + "\nContent-Encoding: br", "no", "br"},
		"Connect, time-out":            {chat, asConnect + "\nConnect-Timeout-Ms: x", userSays, "Connect-Timeout-Ms"},
		"Connect, negative time-out":   {chat, asConnect + "\nConnect-Timeout-Ms: -1", userSays, "Connect-Timeout-Ms"},
		"Connect, surrogate":           {chat, asConnect, surrogate, "surrogate"},
		"Connect, not UTF-8":           {chat, asConnect, notUTF8, "UTF-8"},
		"Connect, media type":          {chat, "Content-Type: application/xml\nConnect-Protocol-Version: 1", "x", "xml"},
		"Connect, stream of unary":     {chat, asStream, "x", "stream"},
		"Connect, unary of stream":     {stream, asConnect, "{}", "stream"},
		"Connect, header":              {chat, asConnect + "\nX-Bin: !", userSays, "x-bin"},
		"Connect stream, no object":    {stream, asStream, "\x00\x00\x00\x00\x01[", "cannot be read"},
		"Connect stream, cut off":      {stream, asStream, "\x00\x00\x00\x00\x05[", "in the middle"},
		"Connect stream, flags":        {stream, asStream, "\x08\x00\x00\x00\x01[", "flags"},
		"Connect stream, empty":        {stream, asStream, "", "empty"},
		"Connect stream, gzip":         {stream, asStream + "\nConnect-Content-Encoding: gzip", "\x01\x00\x00\x00\x02[]", "gzip"},
		"gRPC-Web, empty":              {chat, asWeb, "", "empty"},
		"gRPC-Web, cut off":            {chat, asWeb, "\x00\x00\x00\x00\x05a", "in the middle"},
		"gRPC-Web, part of a header":   {chat, asWeb, "\x00\x00\x00", "in the middle"},
		"gRPC-Web, flags":              {chat, asWeb, "\x08\x00\x00\x00\x01a", "flags"},
		"gRPC-Web, wire format":        {chat, asWeb, "\x00\x00\x00\x00\x01\xff", "cannot be decoded"},
		"gRPC-Web, no object":          {chat, "Content-Type: application/grpc-web+json", "\x00\x00\x00\x00\x01[", "cannot be read"},
		"gRPC-Web, gzip":               {chat, asWeb + "\nGrpc-Encoding: gzip", "\x01\x00\x00\x00\x02ab", "gzip"},
		"gRPC-Web, no compression":     {chat, asWeb, "\x01\x00\x00\x00\x02ab", "decompressed"},
		"gRPC-Web, time-out":           {chat, asWeb + "\nGrpc-Timeout: x", "\x00\x00\x00\x00\x00", "Grpc-Timeout"},
		"REST, time-out":               {"/v1/chat", asJSON + "\nGrpc-Timeout: 1", userSays, "Grpc-Timeout"},
		"REST, surrogate":              {"/v1/chat", asJSON, surrogate, "surrogate"},
		"REST, model in the path":      {"/v1/models/%ff:load", asJSON, "{}", "UTF-8"},
		"REST, task in the path":       {"/v1/tasks/%ff", asJSON, "{}", "UTF-8"},
		"REST, no path":                {"/%ff", asJSON, "{}", "UTF-8"},
		"query, transcription":         {"/v1/transcribe?model=%ff", asAudio, "RIFF", "UTF-8"},
		"query, pronunciation":         {"/v1/pronunciation?reference_text=%ff", asAudio, "RIFF", "UTF-8"},
		"query, name":                  {"/v1/transcribe?%ff=1", asAudio, "RIFF", "UTF-8"},
		"form":                         {"/v1/transcribe", "Content-Type: multipart/form-data; boundary=x", form, "UTF-8"},
	} {
		resp, text := sendRaw(t, r.URL+c.path, c.header, c.body)
		text += " " + resp.Header.Get("Grpc-Message")
		details, _ := base64.RawStdEncoding.DecodeString(resp.Header.Get("Grpc-Status-Details-Bin"))
		framed := strings.Contains(c.header, "+")
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusOK && !framed || !strings.Contains(text+string(details), "INVALID_REQUEST") || !strings.Contains(text+string(details), c.want) {
			t.Errorf("%s: %d %q %q", name, resp.StatusCode, text, details)
		}
	}
}

// sendRaw posts a body with headers in lines.
func sendRaw(t *testing.T, url, header, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(servertest.Within(t, time.Minute), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestSocketsWithoutUTF8HaveAReason(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	url := "ws" + strings.TrimPrefix(r.URL, "http")
	for _, path := range []string{"/v1/transcribe/ws?model=%ff", "/v1/synthesize/ws?%ff=1"} {
		_, resp, err := websocket.DefaultDialer.Dial(url+path, nil)
		if err == nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %v %v", path, resp, err)
		}
	}
	for path, message := range map[string]string{
		"/v1/transcribe/ws": "{\"model\":\"\xff\"}", "/v1/synthesize/ws": "{\"text\":\"\xff\"}",
	} {
		conn, _, err := websocket.DefaultDialer.Dial(url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if _, text, err := conn.ReadMessage(); err != nil || !strings.Contains(string(text), `"INVALID_REQUEST"`) {
			t.Errorf("%s: %s %v", path, text, err)
		}
		_ = conn.Close()
	}
}

// A deadline of 0 has passed, over REST as over gRPC and Connect.
func TestDeadlineOfZeroHasPassed(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for name, c := range map[string]struct{ path, header, body string }{
		"REST":     {"/v1/chat", asJSON + "\nGrpc-Timeout: 0S", userSays},
		"audio":    {"/v1/transcribe", asAudio + "\nGrpc-Timeout: 00m", "RIFF"},
		"Connect":  {rpcService + "Chat", asConnect + "\nConnect-Timeout-Ms: 0", userSays},
		"gRPC-Web": {rpcService + "Chat", asWeb + "\nGrpc-Timeout: 0n", "\x00\x00\x00\x00\x00"},
	} {
		resp, text := sendRaw(t, r.URL+c.path, c.header, c.body)
		details, _ := base64.RawStdEncoding.DecodeString(resp.Header.Get("Grpc-Status-Details-Bin"))
		if !strings.Contains(text+string(details), "DEADLINE_EXCEEDED") || resp.StatusCode != http.StatusGatewayTimeout && resp.Header.Get("Grpc-Status") != "4" {
			t.Errorf("%s: %d %s %v", name, resp.StatusCode, text, resp.Header)
		}
	}
}
