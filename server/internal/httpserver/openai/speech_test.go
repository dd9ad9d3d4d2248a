package openai_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// The voice of engine-fault has 16 kHz; "pcm" always has 24 kHz.
func TestSpeech(t *testing.T) {
	r := start(t, servertest.SpeechModels+"aliases: {robot: qwen}\n")
	want := r.Synthesize(t, "one two")
	for _, path := range []string{"/openai/v1/audio/speech", "/v1/audio/speech"} {
		for _, voice := range []string{`"alloy"`, `{"id":"robot"}`, `"qwen"`, `"qwen/robot"`, `""`} {
			resp, file := r.Post(t, path, `{"model":"tts-1","input":"one two","voice":`+voice+`,"response_format":"wav","speed":1,"instructions":"Be kind."}`)
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "audio/wav" || file[44:] != string(want) || resp.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s: %d %v", voice, resp.StatusCode, resp.Header)
			}
		}
		resp, pcm := r.Post(t, path, `{"model":"synthesize","input":"one two","voice":"alloy","response_format":"pcm"}`)
		if len(pcm) != len(want)*24/16 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "audio/pcm;rate=24000") {
			t.Errorf("%d bytes of %d, %v", len(pcm), len(want), resp.Header)
		}
	}
	_, text := r.Post(t, "/openai/v1/audio/speech", `{"model":"tts-1","input":"one two","voice":"alloy","response_format":"pcm","stream_format":"sse"}`)
	size := 0
	for _, event := range strings.Split(strings.TrimSpace(text), "\n\n") {
		got := parse[struct{ Type, Audio string }](t, strings.TrimPrefix(event, "data: "))
		audio, err := base64.StdEncoding.DecodeString(got.Audio)
		if size += len(audio); err != nil || got.Type != "speech.audio.delta" && got.Type != "speech.audio.done" {
			t.Errorf("%v: %s", err, event)
		}
	}
	if size != len(want)*24/16 || !strings.HasSuffix(text, `data: {"type":"speech.audio.done","usage":{"input_tokens":0,"output_tokens":0,"total_tokens":0}}`+"\n\n") {
		t.Errorf("%d bytes: %.300s", size, text)
	}
}

func TestSpeechErrors(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for name, c := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"aac":     {`{"model":"tts-1","input":"a","voice":"alloy","response_format":"aac"}`, 400, "use mp3, opus"},
		"empty":   {`{"model":"tts-1","input":" ","voice":"alloy"}`, 400, `"param":"input"`},
		"model":   {`{"model":"tts-9","input":"a","voice":"alloy","response_format":"wav"}`, 404, "model_not_found"},
		"task":    {`{"model":"whisper-1","input":"a","voice":"alloy"}`, 404, "model_not_found"},
		"stream":  {`{"model":"tts-1","input":"a","stream_format":"pigeon"}`, 400, "stream_format"},
		"no mp3":  {`{"model":"tts-1","input":"a","voice":"alloy"}`, 400, "encode-speech"}, // it is not in the folder of the test's engines
		"no JSON": {`a=b`, 400, "JSON"},
	} {
		resp, text := r.Post(t, "/openai/v1/audio/speech", c.body)
		if resp.StatusCode != c.status || !strings.Contains(text, c.want) || !strings.HasPrefix(text, `{"error":{`) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
}
