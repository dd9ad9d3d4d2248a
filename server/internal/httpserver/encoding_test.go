package httpserver_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// gzipped compresses a text.
func gzipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// compressedFrame is a message of gRPC-Web or of a Connect stream in gzip.
func compressedFrame(data string) string {
	return string(binary.BigEndian.AppendUint32([]byte{1}, uint32(len(data)))) + data
}

const (
	asGzip = "\nContent-Encoding: gzip"
	form   = "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nRIFFabcd\r\n--x--\r\n"
	asForm = "Content-Type: multipart/form-data; boundary=x"
)

func TestCompressedBodies(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for name, c := range map[string]struct{ path, header, body, want string }{
		"REST":           {"/v1/chat", asJSON + asGzip, userSays, "quick brown"},
		"REST, a stream": {"/v1/chat:stream", asJSON + asGzip, userSays, "quick"},
		"x-gzip":         {"/v1/chat", asJSON + "\nContent-Encoding: X-GZIP", userSays, "quick brown"},
		"audio":          {"/v1/transcribe", asAudio + asGzip, strings.Repeat("R", 50_000), "50000 bytes"},
		"form":           {"/v1/transcribe", asForm + asGzip, form, "8 bytes"},
		"JSON, audio":    {"/v1/transcribe", asJSON + asGzip, `{"audio":"UklGRg=="}`, "4 bytes"},
		"not declared":   {"/v1/transcribe", asGzip[1:], `{"audio":"UklGRg=="}`, "4 bytes"},
		"pronunciation":  {"/v1/pronunciation?reference_text=a", asAudio + asGzip, "RIFF", "overall_score"},
		"speech":         {"/v1/synthesize", asJSON + asGzip, `{"text":"a"}`, "RIFF"},
		"identity":       {"/v1/chat", asJSON + "\nContent-Encoding: identity", userSays, "quick brown"},
		"Connect":        {rpcService + "Chat", asConnect + asGzip, userSays, "quick brown"},
	} {
		body := c.body
		if name != "identity" {
			body = gzipped(t, body)
		}
		if resp, text := sendRaw(t, r.URL+c.path, c.header, body); resp.StatusCode != http.StatusOK || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %.300s", name, resp.StatusCode, text)
		}
	}
}

// The messages of a stream are refused if they are compressed: nothing counts what
// they expand to.
func TestCompressedMessagesAreRefused(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for name, header := range map[string]string{
		"gRPC-Web":       asWeb + "\nGrpc-Encoding: gzip",
		"Connect stream": asStream + "\nConnect-Content-Encoding: gzip",
		"br":             asStream + "\nConnect-Content-Encoding: br",
	} {
		resp, text := sendRaw(t, r.URL+rpcService+"StreamChat", header, compressedFrame(gzipped(t, userSays)))
		if text += resp.Header.Get("Grpc-Message"); !strings.Contains(text, "send them uncompressed") {
			t.Errorf("%s: %d %v %.300q", name, resp.StatusCode, resp.Header, text)
		}
	}
}

// A compressed body is bounded as the others are, and may not expand much.
func TestCompressedBodiesAreBounded(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	const size = 64 << 20
	zeros := gzipped(t, strings.Repeat("0", size)) // 64 kB
	random := make([]byte, 4<<20)
	generator := rand.NewChaCha8([32]byte{})
	if _, err := generator.Read(random); err != nil {
		t.Fatal(err)
	}
	large := gzipped(t, `{"messages":[{"role":"ROLE_USER","content":"`+base64.StdEncoding.EncodeToString(random)+`"}]}`) // 4.2 MB of 5.6
	for name, c := range map[string]struct {
		path, header, body, want string
		code                     int
	}{
		"REST":            {"/v1/chat", asJSON + asGzip, zeros, "10 times", 400},
		"task":            {"/v1/tasks/chat", asJSON + asGzip, zeros, "10 times", 400},
		"audio":           {"/v1/transcribe", asAudio + asGzip, zeros, "10 times", 400},
		"pronunciation":   {"/v1/pronunciation?reference_text=a", asAudio + asGzip, zeros, "10 times", 400},
		"Connect":         {rpcService + "Chat", asConnect + asGzip, zeros, "10 times", 400},
		"Connect, proto":  {rpcService + "Chat", asProto + asGzip, zeros, "10 times", 400},
		"size":            {"/v1/chat", asJSON + asGzip, large, "too large", 413},
		"not gzip":        {"/v1/chat", asJSON + asGzip, userSays, "gzip", 400},
		"not gzip, audio": {"/v1/transcribe", asAudio + asGzip, "RIFF....WAVEfmt ", "gzip", 400},
		"cut off":         {"/v1/chat", asJSON + asGzip, gzipped(t, userSays)[:40], "cut off", 400},
		"cut off, audio":  {"/v1/transcribe", asAudio + asGzip, gzipped(t, userSays)[:40], "cut off", 400},
		"checksum":        {"/v1/chat", asJSON + asGzip, gzipped(t, userSays)[:60] + "xxxxxxxx", "gzip", 400},
		"br":              {"/v1/chat", asJSON + "\nContent-Encoding: br", userSays, "use gzip", 415},
		"two":             {"/v1/transcribe", asAudio + "\nContent-Encoding: gzip, gzip", "x", "use gzip", 415},
		"zstd, audio":     {"/v1/transcribe", asAudio + "\nContent-Encoding: zstd", "x", "use gzip", 415},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		resp, text := sendRaw(t, r.URL+c.path, c.header, c.body)
		runtime.ReadMemStats(&after)
		details, _ := base64.RawStdEncoding.DecodeString(resp.Header.Get("Grpc-Status-Details-Bin"))
		text += string(details)
		if resp.StatusCode != c.code || !strings.Contains(text, "INVALID_REQUEST") || !strings.Contains(text, c.want) || strings.Contains(text, "INVALID_REQUEST: ") {
			t.Errorf("%s: %d %.300s", name, resp.StatusCode, text)
		}
		if grew := after.TotalAlloc - before.TotalAlloc; grew > size {
			t.Errorf("%s: %d MiB were allocated", name, grew>>20)
		}
		if c.code == http.StatusUnsupportedMediaType && resp.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("%s: %v", name, resp.Header)
		}
	}
}

// What no JSON is declared as is a recording, unless it begins as JSON does.
func TestRecordingsOfAnyType(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for media, c := range map[string]struct{ body, want string }{
		"video/mp4":                {"RIFF", "4 bytes"},
		"video/x-matroska":         {"RIFF", "4 bytes"},
		"video/quicktime":          {"{IFF", "4 bytes"}, // not looked at
		"application/mp4":          {"RIFF", "4 bytes"},
		"application/x-wav":        {"RIFF", "4 bytes"},
		"application/vnd.wave":     {"RIFF", "4 bytes"},
		"text/plain":               {"RIFF", "4 bytes"},
		"text/plain;charset=UTF-8": {`{"audio":"UklGRg=="}`, "4 bytes"},
		"application/x-json":       {` {"audio":"UklGRg=="}`, "4 bytes"},
		"application/json":         {`{"audio":"UklGRg=="}`, "4 bytes"},
		"application/vnd.api+json": {`{"audio":"UklGRg=="}`, "4 bytes"},
	} {
		if resp, text := sendRaw(t, r.URL+"/v1/transcribe", "Content-Type: "+media, c.body); resp.StatusCode != http.StatusOK || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %.300s", media, resp.StatusCode, text)
		}
	}
	for _, media := range []string{"video/mp4", "application/mp4"} {
		if resp, text := sendRaw(t, r.URL+"/v1/pronunciation?reference_text=a", "Content-Type: "+media, "RIFF"); resp.StatusCode != http.StatusOK {
			t.Errorf("pronunciation, %s: %d %.300s", media, resp.StatusCode, text)
		}
	}
}
