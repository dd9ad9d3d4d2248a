package openai_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// form returns a form of fields in this order, in which "file" has size bytes.
func form(t *testing.T, size int64, fields ...string) (body io.Reader, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for i := 0; i+1 < len(fields); i += 2 {
		part, err := io.Writer(nil), error(nil)
		if fields[i] == "file" {
			if part, err = w.CreateFormFile("file", fields[i+1]); err == nil {
				_, err = io.Copy(part, servertest.Zeros(size))
			}
		} else {
			err = w.WriteField(fields[i], fields[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out, w.FormDataContentType()
}

// The fields of a form may come in any order, even after a file of 25 MB.
func TestTranscriptionFormats(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for format, want := range map[string]string{
		"": `{"text":"25000000 bytes","usage":{"type":"duration","seconds":0}}`, "json": `{"text":"25000000 bytes",`, "text": "25000000 bytes\n", "srt": "", "vtt": "WEBVTT\n\n",
		"verbose_json": `{"task":"transcribe","language":"en","duration":0,"text":"25000000 bytes","segments":[],"usage":{`,
	} {
		for _, path := range []string{"/openai/v1/audio/transcriptions", "/v1/audio/transcriptions"} {
			body, kind := form(t, 25_000_000, "file", "a.wav", "response_format", format, "model", "whisper-1", "timestamp_granularities[]", "word",
				"timestamp_granularities[]", "segment", "temperature", "0.2", "include[]", "logprobs", "chunking_strategy", "auto", "prompt", strings.Repeat("á", 5000))
			resp, text := r.Send(t, path, body, "Content-Type", kind)
			if resp.StatusCode != http.StatusOK || !strings.HasPrefix(text, want) || resp.Header.Get("X-Modelgateway-Model") != "qwen" || resp.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s %q: %d %.200s", path, format, resp.StatusCode, text)
			}
			media := map[bool]string{true: "application/json", false: "text/plain; charset=utf-8"}[strings.HasPrefix(want, "{")]
			if resp.Header.Get("Content-Type") != media {
				t.Errorf("%q: %s", format, resp.Header.Get("Content-Type"))
			}
		}
	}
	body, kind := form(t, 100, "model", "whisper-1", "file", "a.wav", "response_format", "verbose_json")
	if _, text := r.Send(t, "/openai/v1/audio/translations", body, "Content-Type", kind); !strings.Contains(text, `"task":"translate"`) {
		t.Errorf("%s", text)
	}
}

func TestTranscriptionStream(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	body, kind := form(t, 100_000, "stream", "true", "file", "a.wav", "model", "transcribe")
	resp, text := r.Send(t, "/openai/v1/audio/transcriptions", body, "Content-Type", kind)
	want := `data: {"type":"transcript.text.delta","delta":"100000 bytes"}` + "\n\n" +
		`data: {"type":"transcript.text.done","text":"100000 bytes","usage":{"type":"duration","seconds":0}}` + "\n\n"
	if text != want || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Trailer.Get("X-Modelgateway-Model") != "qwen" {
		t.Errorf("%v %s", resp.Header, text)
	}
}

func TestTranscriptionErrors(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for name, c := range map[string]struct {
		fields []string
		status int
		want   string
	}{
		"format":    {[]string{"file", "a.wav", "model", "whisper-1", "response_format", "diarized_json"}, 400, `"param":"response_format"`},
		"model":     {[]string{"model", "gpt-9", "file", "a.wav"}, 404, "model_not_found"},
		"task":      {[]string{"model", "tts-1", "file", "a.wav"}, 404, "model_not_found"},
		"no file":   {[]string{"model", "whisper-1"}, 400, "no file"},
		"two files": {[]string{"model", "whisper-1", "file", "a.wav", "file", "b.wav"}, 400, "more than one file"},
		"language":  {[]string{"model", "whisper-1", "file", "a.wav", "language", strings.Repeat("x", 99)}, 400, `"param":"language"`},
		"languages": {[]string{"model", "whisper-1", "file", "a.wav", "languages[]", strings.Repeat("x", 99)}, 400, `"param":"language"`},
		"stream":    {[]string{"model", "gpt-9", "file", "a.wav", "stream", "true"}, 404, "model_not_found"},
	} {
		body, kind := form(t, 100, c.fields...)
		resp, text := r.Send(t, "/openai/v1/audio/transcriptions", body, "Content-Type", kind)
		if resp.StatusCode != c.status || !strings.Contains(text, c.want) || !strings.HasPrefix(text, `{"error":{`) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	if resp, text := r.Post(t, "/openai/v1/audio/transcriptions", "{}"); resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "multipart") {
		t.Errorf("JSON: %d %s", resp.StatusCode, text)
	}
}
