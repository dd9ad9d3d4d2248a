package httpserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// What is sent while it is made passes proxies at once, whatever its protocol.
func TestStreamsAreNotBuffered(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	const say = `{"text":"Hello."}`
	const web, empty = "Content-Type: application/grpc-web+json", "\x00\x00\x00\x00\x02{}"
	for name, c := range map[string]struct {
		path, header, body string
		stream             bool
	}{
		"lines":             {"/v1/chat:stream", asJSON, userSays, true},
		"events":            {"/v1/chat:stream", asJSON + "\nAccept: text/event-stream", userSays, true},
		"load":              {"/v1/models/qwen:load", asJSON, "{}", true},
		"PCM":               {"/v1/synthesize", asJSON + "\nAccept: audio/pcm", say, true},
		"L16":               {"/v1/synthesize", asJSON + "\nAccept: audio/L16", say, true},
		"speech as events":  {"/v1/synthesize", asJSON + "\nAccept: text/event-stream", say, true},
		"Connect":           {rpcService + "StreamChat", asStream, empty, true},
		"gRPC-Web":          {rpcService + "StreamChat", web, empty, true},
		"one answer":        {"/v1/chat", asJSON, userSays, false},
		"gRPC-Web, unary":   {rpcService + "Chat", web, empty, false},
		"WAV with a length": {"/v1/synthesize", asJSON, say, false},
	} {
		resp, text := sendRaw(t, r.URL+c.path, c.header, c.body)
		buffering, cache := resp.Header.Get("X-Accel-Buffering"), resp.Header.Get("Cache-Control")
		if got := buffering == "no" && cache == "no-store"; got != c.stream || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d, X-Accel-Buffering %q, Cache-Control %q: %.200s", name, resp.StatusCode, buffering, cache, text)
		}
	}
}

// An Accept header that cannot be met is 406, and the error says what can.
func TestAcceptThatCannotBeMet(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	const say = `{"text":"Hello."}`
	for _, c := range []struct {
		path, body, accept, want string
		status                   int
	}{
		{"/v1/synthesize", say, "audio/aac", "audio/wav", 406},
		{"/v1/synthesize", say, "audio/aac, audio/*;q=0.5", "", 200},
		{"/v1/synthesize", say, "audio/aac, */*;q=0.1", "", 200},
		{"/v1/synthesize", say, "*/*, audio/wav;q=0", "", 200},
		{"/v1/synthesize", say, "audio/wav;q=0", "audio/wav", 406},
		{"/v1/transcribe", `{"audio":"UklGRg=="}`, "image/png", "text/plain", 406},
		{"/v1/transcribe", `{"audio":"UklGRg=="}`, "image/png, text/*", "", 200},
		{"/v1/pronunciation", `{"audio":"UklGRg==","reference_text":"a"}`, "audio/wav", "application/json", 406},
		{"/v1/chat", userSays, "application/xml", "application/json", 406},
		{"/v1/chat", userSays, "text/html, */*;q=0.8", "", 200},
		{"/v1/chat:stream", userSays, "audio/wav", "text/event-stream", 406},
		{"/v1/chat:stream", userSays, "audio/wav, text/event-stream", "", 200},
	} {
		resp, text := r.Post(t, c.path, c.body, "Accept", c.accept)
		if resp.StatusCode != c.status || c.status == 406 && (!strings.Contains(text, "INVALID_REQUEST") || !strings.Contains(text, c.want)) {
			t.Errorf("%s, Accept %q: %d %.300s", c.path, c.accept, resp.StatusCode, text)
		}
		if c.path == "/v1/chat:stream" && c.status == 200 && resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s, Accept %q: %s", c.path, c.accept, resp.Header.Get("Content-Type"))
		}
	}
	resp, text := sendRaw(t, r.URL+"/v1/pronunciation?reference_text=a", asAudio+"\nAccept: text/html", "RIFF")
	if resp.StatusCode != http.StatusNotAcceptable {
		t.Errorf("recording: %d %s", resp.StatusCode, text)
	}
}
