package httpserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// Windows programs begin a text with a byte-order mark.
func TestByteOrderMarkIsSkipped(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	const mark = "\ufeff"
	for name, c := range map[string]struct{ path, header, body string }{
		"REST":            {"/v1/chat", asJSON, userSays},
		"REST, a stream":  {"/v1/chat:stream", asJSON, userSays},
		"Connect":         {rpcService + "Chat", asConnect, userSays},
		"speech":          {"/v1/synthesize", asJSON, `{"text":"a"}`},
		"not declared":    {"/v1/transcribe", "Accept: */*", `{"audio":"UklGRg=="}`},
		"empty, but mark": {"/v1/models/qwen:load", asJSON, ""},
	} {
		resp, text := sendRaw(t, r.URL+c.path, c.header, mark+c.body)
		if resp.StatusCode != http.StatusOK || strings.Contains(text, `"error"`) {
			t.Errorf("%s: %d %.200s", name, resp.StatusCode, text)
		}
	}
	resp, text := sendRaw(t, r.URL+"/v1/chat", asJSON, "\xff\xfe{\x00}\x00")
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "UTF-16") {
		t.Errorf("UTF-16: %d %s", resp.StatusCode, text)
	}
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(r.URL, "http")+"/v1/synthesize/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(mark+`{"text":"a"}`)); err != nil {
		t.Fatal(err)
	}
	if _, text, err := conn.ReadMessage(); err != nil || strings.Contains(string(text), `"error"`) {
		t.Errorf("WebSocket: %s %v", text, err)
	}
}

// A field that does not exist is refused in JSON over every protocol.
func TestUnknownFieldsAreRefused(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	body := strings.TrimSuffix(userSays, "}") + `,"nothing_such":1}`
	stream := string([]byte{0, 0, 0, 0, byte(len(body))}) + body
	for name, c := range map[string]struct{ path, header, body string }{
		"REST":           {"/v1/chat", asJSON, body},
		"Connect":        {rpcService + "Chat", asConnect, body},
		"Connect stream": {rpcService + "StreamChat", asStream, stream},
		"gRPC-Web":       {rpcService + "StreamChat", "Content-Type: application/grpc-web+json", stream},
	} {
		resp, text := sendRaw(t, r.URL+c.path, c.header, c.body)
		if text += resp.Header.Get("Grpc-Message"); !strings.Contains(text, "nothing_such") {
			t.Errorf("%s: %d %.200s", name, resp.StatusCode, text)
		}
	}
}

// An error about an enum names its values.
func TestErrorsNameTheValuesOfAnEnum(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for name, c := range map[string]struct{ path, header, body, want string }{
		"word":            {"/v1/chat", asJSON, `{"messages":[{"role":"user"}]}`, "ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT"},
		"number":          {"/v1/chat", asJSON, `{"messages":[{"role":77,"content":"a"}]}`, "ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT"},
		"none":            {"/v1/chat", asJSON, `{"messages":[{"content":"a"}]}`, "ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT"},
		"Connect":         {rpcService + "Chat", asConnect, `{"messages":[{"role":"user"}]}`, "ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT"},
		"parameter":       {"/v1/tasks/chat", asJSON, `{"params":{"messages":[{"role":"usr"}]}}`, "ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT"},
		"routing":         {"/v1/chat", asJSON, `{"routing":{"priority":"fast"}}`, "PRIORITY_LOW, PRIORITY_NORMAL"},
		"option":          {"/v1/transcribe?priority=fast", asAudio, "RIFF", "PRIORITY_LOW, PRIORITY_NORMAL"},
		"encoding":        {"/v1/transcribe?encoding=mp9", asAudio, "RIFF", "AUDIO_ENCODING_PCM_S16LE"},
		"config":          {"/v1/transcribe", asJSON, `{"audio":"UklGRg==","config":{"format":{"encoding":99}}}`, "AUDIO_ENCODING_PCM_S16LE"},
		"nested language": {"/v1/grammar", asJSON, `{"text":"a","explanation_language":"vi"}`, "EXPLANATION_LANGUAGE_VIETNAMESE"},
	} {
		resp, text := sendRaw(t, r.URL+c.path, c.header, c.body)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, c.want) || strings.Contains(text, "UNSPECIFIED") {
			t.Errorf("%s: %d %.300s", name, resp.StatusCode, text)
		}
	}
	_, err := r.Chat.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{{Role: 77}}})
	if err == nil || !strings.Contains(err.Error(), "ROLE_SYSTEM, ROLE_USER") {
		t.Errorf("gRPC: %v", err)
	}
}
