package httpserver_test

import (
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// No error repeats more than 100 characters of what the caller sent.
func TestErrorsDoNotRepeatTheRequest(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	long, digits := strings.Repeat("A", 3<<20), strings.Repeat("7", 3<<20)
	word := long[:50_000] // of a path or a query
	const chat = rpcService + "Chat"
	for name, c := range map[string]struct{ path, header, body string }{
		"field":               {"/v1/chat", asJSON, `{"` + long + `":1}`},
		"enum":                {"/v1/chat", asJSON, `{"messages":[{"role":"` + long + `"}]}`},
		"number":              {"/v1/chat", asJSON, `{"sampling":{"top_k":` + digits + `}}`},
		"string for a number": {"/v1/chat", asJSON, `{"sampling":{"top_k":"` + long + `"}}`},
		"syntax":              {"/v1/chat", asJSON, `{"messages":` + long},
		"base64":              {"/v1/transcribe", asJSON, `{"audio":"` + long + `!"}`},
		"duration":            {"/v1/synthesize", asJSON, `{"text":"a","sentence_silence":"` + long + `"}`},
		"violations":          {"/v1/chat", asJSON, `{"messages":[` + strings.TrimSuffix(strings.Repeat(`{},`, 1000), ",") + `]}`},
		"Connect":             {chat, asConnect, `{"` + long + `":1}`},
		"Connect, enum":       {chat, asConnect, `{"messages":[{"role":"` + long + `"}]}`},
		"gRPC-Web":            {chat, "Content-Type: application/grpc-web+json", "\x00\x00\x30\x00\x05" + `{"` + long[:3<<20] + `":`},
		"parameter":           {"/v1/tasks/chat", asJSON, `{"params":{"` + long + `":1}}`},
		"parameter of a task": {"/v1/tasks/chat", asJSON, `{"params":{"messages":[{"role":"` + long + `"}]}}`},
		"parameter format":    {"/v1/tasks/synthesize", asJSON, `{"params":{"text":"a","format":["` + long + `"]}}`},
		"parameter model":     {"/v1/models/qwen:invoke", asJSON, `{"method":"chat","params":{"model":"` + long + `"}}`},
		"unknown path":        {"/v2/" + word, asJSON, `{}`},
		"model in the path":   {"/v1/models/" + word + ":load", asJSON, `{}`},
		"task in the path":    {"/v1/tasks/" + word, asJSON, `{}`},
		"option":              {"/v1/transcribe?" + word + "=1", asAudio, "RIFF"},
		"value of an option":  {"/v1/transcribe?priority=" + word, asAudio, "RIFF"},
		"number of an option": {"/v1/transcribe?beam_size=" + word, asAudio, "RIFF"},
		"byte order":          {"/v1/transcribe", "Content-Type: audio/pcm;endianness=" + word, "RIFF"},
		"content type":        {chat, "Content-Type: application/" + word + "\nConnect-Protocol-Version: 1", "{}"},
		"compression":         {chat, asConnect + "\nContent-Encoding: " + word, "{}"},
		"time-out":            {"/v1/chat", asJSON + "\nGrpc-Timeout: " + word, "{}"},
	} {
		resp, text := sendRaw(t, r.URL+c.path, c.header, c.body)
		text += resp.Header.Get("Grpc-Message")
		if resp.Header.Get("Grpc-Status") == "" && resp.StatusCode/100 != 4 {
			t.Errorf("%s: %d %.200s", name, resp.StatusCode, text)
		}
		if len(text) > 2000 || strings.Contains(text, strings.Repeat("A", 102)) || strings.Contains(text, strings.Repeat("7", 102)) {
			t.Errorf("%s: %d, %d bytes: %.400s", name, resp.StatusCode, len(text), text)
		}
	}
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(r.URL, "http")+"/v1/transcribe/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"`+long[:900_000]+`":1}`)); err != nil {
		t.Fatal(err)
	}
	if _, text, err := conn.ReadMessage(); err != nil || len(text) > 2000 || !strings.Contains(string(text), "INVALID_REQUEST") {
		t.Errorf("WebSocket: %d bytes %.300s %v", len(text), text, err)
	}
}
