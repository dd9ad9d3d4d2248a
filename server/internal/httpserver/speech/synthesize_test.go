package speech_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// wav parses a mono 16-bit WAV.
func wav(t *testing.T, file string) (rate, riff, data uint32, pcm []byte) {
	t.Helper()
	if len(file) < 44 || file[:4] != "RIFF" || file[8:16] != "WAVEfmt " || file[36:40] != "data" {
		t.Fatalf("not a WAV: %.60q", file)
	}
	le, head := binary.LittleEndian, []byte(file[:44])
	if le.Uint16(head[20:]) != 1 || le.Uint16(head[22:]) != 1 || le.Uint32(head[28:]) != 2*le.Uint32(head[24:]) || le.Uint16(head[34:]) != 16 {
		t.Errorf("the WAV is not mono 16-bit PCM: %x", head)
	}
	return le.Uint32(head[24:]), le.Uint32(head[4:]), le.Uint32(head[40:]), []byte(file[44:])
}

// longText becomes 200 s of speech at 16 kHz, 6.4 MB. Twice that is too long to be
// answered as a whole.
var longText = strings.Repeat("word ", 2000)

func TestSynthesizeAnswersInTheAcceptedType(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	want := r.Synthesize(t, "one two")
	const body = `{"text":"one two"}`
	for _, accept := range []string{"", "*/*", "audio/wav", "audio/*", "Audio/WAV;q=0.9, text/html;q=0.1", "video/mp4, audio/*;q=0.1"} {
		resp, file := r.Post(t, "/v1/synthesize", body, "Accept", accept)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "audio/wav" || resp.Header.Get("Content-Length") != strconv.Itoa(len(want)+44) {
			t.Fatalf("%q: %d %v", accept, resp.StatusCode, resp.Header)
		}
		rate, riff, data, pcm := wav(t, file)
		if rate != 16000 || int(riff) != len(want)+36 || int(data) != len(want) || !bytes.Equal(pcm, want) {
			t.Errorf("%q: rate %d, sizes %d and %d, %d bytes of %d", accept, rate, riff, data, len(pcm), len(want))
		}
		if resp.Header.Get("X-Modelgateway-Model") != "qwen" || resp.Header.Get("X-Modelgateway-Engine") != "fault" || resp.Header.Get("Server-Timing") == "" {
			t.Errorf("%q: %v", accept, resp.Header)
		}
	}
	for accept, media := range map[string]string{
		"audio/pcm": "audio/pcm;rate=16000;channels=1;encoding=s16le",
		"audio/L16": "audio/L16;rate=16000;channels=1;endianness=little-endian",
	} {
		resp, pcm := r.Post(t, "/v1/synthesize", body, "Accept", accept)
		if resp.Header.Get("Content-Type") != media || pcm != string(want) || resp.ContentLength != -1 || resp.Trailer.Get("X-Modelgateway-Model") != "qwen" {
			t.Errorf("%s: %s, %d bytes, trailers %v", accept, resp.Header.Get("Content-Type"), len(pcm), resp.Trailer)
		}
	}
	for accept, prefix := range map[string]string{"application/json": `{"result":{`, "application/x-ndjson": `{"result":{`, "text/event-stream": `data: {"result":{`} {
		if resp, lines := r.Post(t, "/v1/synthesize", body, "Accept", accept); resp.StatusCode != http.StatusOK || !strings.HasPrefix(lines, prefix) || !strings.Contains(lines, `"served_by":{`) {
			t.Errorf("%s: %d %.100s", accept, resp.StatusCode, lines)
		}
	}
}

func TestLongSpeechIsSentWhileItIsMade(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	resp, file := r.Post(t, "/v1/synthesize", `{"text":"`+longText+longText+`"}`)
	rate, riff, data, pcm := wav(t, file)
	if resp.ContentLength != -1 || rate != 16000 || riff != 0xffffffff || data != 0xffffffff || len(pcm) != 4000*3200 || resp.Trailer.Get("X-Modelgateway-Model") != "qwen" {
		t.Errorf("length %d, rate %d, sizes %x and %x, %d bytes, trailers %v", resp.ContentLength, rate, riff, data, len(pcm), resp.Trailer)
	}
	// The largest that is sent whole has its sizes in the header.
	resp, file = r.Post(t, "/v1/synthesize", `{"text":"`+longText+`"}`)
	if _, _, data, pcm := wav(t, file); int(data) != 2000*3200 || len(pcm) != 2000*3200 || resp.ContentLength != 2000*3200+44 {
		t.Errorf("length %d, size %d, %d bytes", resp.ContentLength, data, len(pcm))
	}
}

// A client that prefers MP3 and takes everything gets WAV where encode-speech is missing,
// as in the folder of the test's engines.
func TestSynthesizeWithoutEncoder(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for _, accept := range []string{"audio/mpeg, */*", "audio/ogg, audio/flac, audio/*;q=0.5"} {
		resp, file := r.Post(t, "/v1/synthesize", `{"text":"one"}`, "Accept", accept)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "audio/wav" || !strings.HasPrefix(file, "RIFF") {
			t.Errorf("%s: %d, %s", accept, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
	resp, text := r.Post(t, "/v1/synthesize", `{"text":"one"}`, "Accept", "audio/mpeg")
	servertest.CheckHTTP(t, resp, text, http.StatusBadRequest, codes.FailedPrecondition, errs.EngineUnavailable, false)
}

func TestSynthesizeRefusesInvalidRequests(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for body, reason := range map[string]errs.Reason{
		`{`: errs.InvalidRequest, `{"txt":"a"}`: errs.InvalidRequest, `{}`: errs.InvalidRequest, ``: errs.InvalidRequest,
		`{"text":" "}`: errs.InvalidRequest, `{"text":"a","speed":9}`: errs.InvalidRequest, `{"text":"a","model":"nobody"}`: errs.ModelNotFound,
	} {
		for _, accept := range []string{"audio/wav", "audio/pcm"} {
			resp, text := r.Post(t, "/v1/synthesize", body, "Accept", accept)
			code, want := codes.InvalidArgument, http.StatusBadRequest
			if reason == errs.ModelNotFound {
				code, want = codes.NotFound, http.StatusNotFound
			}
			servertest.CheckHTTP(t, resp, text, want, code, reason, false)
		}
	}
	if resp, _ := r.Get(t, "/v1/synthesize"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %q", resp.StatusCode, resp.Header.Get("Allow"))
	}
}

func TestAPIDescriptionHasAudioTypes(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	_, text := r.Get(t, "/openapi.json")
	var doc struct {
		Paths map[string]map[string]struct{ Produces []string }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	for path, media := range map[string]string{"/v1/synthesize": "audio/wav", "/v1/transcribe": "text/plain"} {
		if got := doc.Paths[path]["post"].Produces; !slices.Contains(got, media) {
			t.Errorf("%s produces %v", path, got)
		}
	}
}

// Speech that breaks off must not look complete to the client.
func TestBrokenSpeechIsNoCompleteAnswer(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for accept, before := range map[string]int{"audio/pcm": 1, "audio/wav": 9 << 20} {
		body := `{"text":"` + strings.Repeat("w ", 45_000) + `"}` // 144 MB
		req, err := http.NewRequestWithContext(servertest.Within(t, time.Minute), http.MethodPost, r.URL+"/v1/synthesize", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, resp.Body, int64(before)); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(int(r.Model(t, "qwen").GetWorkerPid()), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: after %d bytes more it ended with %v", accept, n, err)
		}
		_ = resp.Body.Close()
		// Until the server has seen the end of the process, it may send it requests.
		servertest.Eventually(t, func() bool {
			resp, text := r.Post(t, "/v1/synthesize", `{"text":"again"}`)
			if resp.StatusCode != http.StatusOK && !strings.Contains(text, "ENGINE_CRASHED") {
				t.Fatalf("%s: the next one: %d %s", accept, resp.StatusCode, text)
			}
			return resp.StatusCode == http.StatusOK
		})
	}
}

// Speech ends if its client stops reading.
func TestSpeechEndsIfItsClientDoesNotRead(t *testing.T) {
	r := start(t, servertest.SpeechModels+"limits: {slow_reader_timeout: 1s}\n")
	body := `{"text":"` + strings.Repeat("w ", 45_000) + `"}`
	for _, accept := range []string{"audio/pcm", "audio/wav"} {
		req, err := http.NewRequestWithContext(servertest.Within(t, time.Minute), http.MethodPost, r.URL+"/v1/synthesize", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 }) // it reads nothing for a second
		if _, err := io.Copy(io.Discard, resp.Body); err == nil {
			t.Errorf("%s: the answer ended as if it were complete", accept)
		}
		_ = resp.Body.Close()
	}
}
