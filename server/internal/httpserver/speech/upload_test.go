package speech_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// field is a part of a form. A file has a media type.
type field struct{ name, media, value string }

// form returns a multipart body.
func form(t *testing.T, fields ...field) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, f := range fields {
		header := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("form-data; name=%q", f.name)}}
		if f.media != "" {
			header.Set("Content-Disposition", fmt.Sprintf("form-data; name=%q; filename=clip", f.name))
			header.Set("Content-Type", f.media)
		}
		part, err := w.CreatePart(header)
		if err == nil {
			_, err = io.WriteString(part, f.value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

func TestTranscribeAcceptsEveryKindOfBody(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	small, smallType := form(t, field{"file", "audio/wav", "0123456789"}, field{"language", "", "en"})
	named, namedType := form(t, field{"model", "", "qwen"}, field{"audio", "audio/pcm;rate=8000", "0123456789"})
	for name, c := range map[string]struct {
		path, media string
		body        io.Reader
		want        string
	}{
		"JSON":                    {"", "application/json", strings.NewReader(`{"audio":"AAAA"}`), "3 bytes"},
		"undeclared JSON":         {"", "", strings.NewReader("\n {\"audio\":\"AAAA\"}"), "3 bytes"},
		"JSON of curl":            {"", "application/x-www-form-urlencoded", strings.NewReader(`{"audio":"AAAA"}`), "3 bytes"},
		"WAV":                     {"?language=en&word_timestamps=true&priority=high", "audio/wav", servertest.Zeros(5 << 20), "5242880 bytes"},
		"anything":                {"", "application/octet-stream", servertest.Zeros(100), "100 bytes"},
		"a browser's":             {"", "audio/webm;codecs=opus", servertest.Zeros(100), "100 bytes"},
		"PCM":                     {"", "audio/L16; rate=8000; channels=2", servertest.Zeros(100), "100 bytes"},
		"PCM by the query":        {"?encoding=pcm_f32le&sample_rate_hertz=48000&channel_count=2", "audio/pcm", servertest.Zeros(100), "100 bytes"},
		"undeclared audio":        {"", "", strings.NewReader("RIFFxxxx"), "8 bytes"},
		"audio of curl":           {"", "application/x-www-form-urlencoded", strings.NewReader("RIFFxxxx"), "8 bytes"},
		"undeclared PCM":          {"?encoding=PCM_S16LE", "", strings.NewReader("{}"), "2 bytes"},
		"longer than any message": {"", "audio/flac", servertest.Zeros(100 << 20), "104857600 bytes"},
		"form":                    {"", smallType, small, "10 bytes"},
		"form with another name":  {"?translate=true", namedType, named, "10 bytes"},
		"a form's long file":      {"", "multipart/form-data; boundary=x", longForm(20<<20, "language", ""), "20971520 bytes"},
		"of no length":            {"", "audio/wav", io.MultiReader(servertest.Zeros(70_000)), "70000 bytes"},
		"empty":                   {"", "audio/wav", http.NoBody, "0 bytes"},
		"option without effect":   {"?interim_results=true", "audio/wav", servertest.Zeros(70_000), "70000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, text := r.Send(t, "/v1/transcribe"+c.path, c.body, "Content-Type", c.media)
			var got struct {
				Transcript struct{ Text string }
				ServedBy   struct{ Model string } `json:"served_by"`
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil || resp.StatusCode != http.StatusOK ||
				got.Transcript.Text != c.want || got.ServedBy.Model != "qwen" || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %v: %.300s, want %s", resp.StatusCode, err, text, c.want)
			}
		})
	}
	for _, media := range []string{"audio/wav", "application/json"} {
		body := map[string]string{"audio/wav": "abc", "application/json": `{"audio":"AAAA"}`}[media]
		resp, text := r.Send(t, "/v1/transcribe", strings.NewReader(body), "Content-Type", media, "Accept", "text/plain, application/json;q=0.5")
		if resp, subtitles := r.Send(t, "/v1/transcribe", strings.NewReader(body), "Content-Type", media, "Accept", "text/vtt"); subtitles != "WEBVTT\n\n" || resp.Header.Get("Content-Type") != "text/vtt; charset=utf-8" {
			t.Errorf("%s: %q", media, subtitles)
		}
		if text != "3 bytes\n" || resp.Header.Get("X-Modelgateway-Model") != "qwen" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") ||
			!strings.Contains(resp.Header.Get("Server-Timing"), "inference;dur=") {
			t.Errorf("as text: %q %v", text, resp.Header)
		}
	}
}

// longForm returns a form with a field before a file of n zeros, and one after it
// unless its name is empty.
func longForm(n int64, before, after string) io.Reader {
	const begin = "--x\r\nContent-Disposition: form-data; name=%q\r\n\r\nen\r\n"
	head := fmt.Sprintf(begin, before) + "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
	tail := "\r\n"
	if after != "" {
		tail += fmt.Sprintf(begin, after)
	}
	return io.MultiReader(strings.NewReader(head), servertest.Zeros(n), strings.NewReader(tail+"--x--\r\n"))
}

func TestTranscribeRefusesInvalidBodies(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	twice, twiceType := form(t, field{"file", "audio/wav", "a"}, field{"audio", "audio/wav", "b"})
	unknown, unknownType := form(t, field{"file", "audio/wav", "a"}, field{"langauge", "", "en"})
	none, noneType := form(t, field{"language", "", "en"})
	many := make([]field, 10_000)
	for i := range many {
		many[i] = field{name: "language", value: "en"}
	}
	flood, floodType := form(t, many...)
	headers := "--x\r\n" + strings.Repeat("X-Header: "+strings.Repeat("x", 1000)+"\r\n", 20_000) + "\r\nabc\r\n--x--\r\n"
	const formX = "multipart/form-data; boundary=x"
	for name, c := range map[string]struct {
		path, media string
		body        io.Reader
		code        codes.Code
		reason      errs.Reason
		says        string
	}{
		"unknown option":         {"?langauge=en", "audio/wav", servertest.Zeros(10), codes.InvalidArgument, errs.InvalidRequest, "langauge"},
		"wrong option":           {"?beam_size=many", "audio/wav", servertest.Zeros(10), codes.InvalidArgument, errs.InvalidRequest, "beam_size"},
		"option out of range":    {"?beam_size=17", "audio/wav", servertest.Zeros(10), codes.InvalidArgument, errs.InvalidRequest, "beam_size"},
		"wrong priority":         {"?priority=urgent", "audio/wav", servertest.Zeros(10), codes.InvalidArgument, errs.InvalidRequest, "PRIORITY_URGENT"},
		"big-endian":             {"", "audio/L16;rate=16000;endianness=big-endian", servertest.Zeros(10), codes.InvalidArgument, errs.InvalidRequest, "little-endian"},
		"rate out of range":      {"", "audio/L16;rate=1", servertest.Zeros(10), codes.InvalidArgument, errs.InvalidRequest, "sample_rate_hertz"},
		"no such model":          {"?model=nobody", "audio/wav", servertest.Zeros(100 << 20), codes.NotFound, errs.ModelNotFound, "nobody"},
		"no boundary":            {"", "multipart/form-data", servertest.Zeros(10), codes.InvalidArgument, errs.InvalidRequest, "boundary"},
		"no file":                {"", noneType, none, codes.InvalidArgument, errs.InvalidRequest, "no file"},
		"two files":              {"", twiceType, twice, codes.InvalidArgument, errs.InvalidRequest, "more than one file"},
		"unknown field":          {"", unknownType, unknown, codes.InvalidArgument, errs.InvalidRequest, "langauge"},
		"10,000 fields":          {"", floodType, flood, codes.InvalidArgument, errs.InvalidRequest, "more than 32 fields"},
		"giant headers":          {"", formX, strings.NewReader(headers), codes.InvalidArgument, errs.InvalidRequest, "larger than 1048576"},
		"endless preamble":       {"", formX, servertest.Zeros(100 << 20), codes.InvalidArgument, errs.InvalidRequest, "cannot be read"},
		"a form cut short":       {"", formX, strings.NewReader("--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc"), codes.InvalidArgument, errs.InvalidRequest, "closing boundary"},
		"fields too late":        {"", formX, longForm(5<<20, "language", "translate"), codes.InvalidArgument, errs.InvalidRequest, "must come before the file"},
		"broken JSON":            {"", "", strings.NewReader("{"), codes.InvalidArgument, errs.InvalidRequest, "unexpected"},
		"an unreadable type":     {"", "audio/", servertest.Zeros(10), codes.InvalidArgument, errs.InvalidRequest, ""},
		"a config of the socket": {"", "application/json", strings.NewReader(`{"language":"en"}`), codes.InvalidArgument, errs.InvalidRequest, "language"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, text := r.Send(t, "/v1/transcribe"+c.path, c.body, "Content-Type", c.media)
			want := http.StatusBadRequest
			if c.code == codes.NotFound {
				want = http.StatusNotFound
			}
			servertest.CheckHTTP(t, resp, text, want, c.code, c.reason, false)
			if !strings.Contains(text, c.says) {
				t.Errorf("%q is not in %s", c.says, text)
			}
		})
	}
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
}

// A Content-Length reserves nothing, however large, and a recording that does not
// arrive takes no place of the model. An error does not wait for the end of the
// body.
func TestContentLengthReservesNothing(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	const head = "POST /v1/transcribe%s HTTP/1.1\nHost: localhost\nContent-Type: audio/wav\nContent-Length: 9000000000000\n\nRIFF"
	for range 40 {
		r.Dial(t, fmt.Sprintf(head, ""))
	}
	if resp, text := r.Send(t, "/v1/transcribe", servertest.Zeros(50<<20), "Content-Type", "audio/wav"); resp.StatusCode != http.StatusOK {
		t.Errorf("beside them: %d %s", resp.StatusCode, text)
	}
	conn := r.Dial(t, fmt.Sprintf(head, "?model=nobody"))
	if _, err := io.Copy(conn, servertest.Zeros(5<<20)); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusNotFound || !answer.Close {
		t.Errorf("%d, close %v: %s", answer.StatusCode, answer.Close, text)
	}
}

// A client that disconnects in the middle of its body releases the model.
func TestLostBodyReleasesTheModel(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	conn := r.Dial(t, "POST /v1/transcribe HTTP/1.1\nHost: localhost\nContent-Type: audio/wav\nContent-Length: 100000000\n\nRIFF")
	if _, err := io.Copy(conn, servertest.Zeros(5<<20)); err != nil {
		t.Fatal(err)
	}
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 1 })
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
	if served := r.Model(t, "qwen"); served.GetState() != gatewayv1.ModelState_MODEL_STATE_READY {
		t.Errorf("the model is %v", served.GetState())
	}
}

func TestPronunciationAcceptsEveryKindOfBody(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	after, afterType := form(t, field{"file", "audio/wav", strings.Repeat("x", 10<<20)}, field{"reference_text", "", "one two"})
	for name, c := range map[string]struct {
		path, media string
		body        io.Reader
	}{
		"JSON":       {"", "application/json", strings.NewReader(`{"audio":"AAAA","reference_text":"one two"}`)},
		"raw":        {"?reference_text=one+two", "audio/wav", servertest.Zeros(1000)},
		"form":       {"", afterType, after},
		"a long one": {"?reference_text=one+two", "audio/wav", servertest.Zeros(20 << 20)},
	} {
		resp, text := r.Send(t, "/v1/pronunciation"+c.path, c.body, "Content-Type", c.media)
		var got struct{ Words []struct{ Text string } }
		if err := json.Unmarshal([]byte(text), &got); err != nil || resp.StatusCode != http.StatusOK || len(got.Words) != 2 {
			t.Errorf("%s: %d %v %.300s", name, resp.StatusCode, err, text)
		}
	}
	resp, text := r.Send(t, "/v1/pronunciation", servertest.Zeros(10), "Content-Type", "audio/wav")
	servertest.CheckHTTP(t, resp, text, http.StatusBadRequest, codes.InvalidArgument, errs.InvalidRequest, false)
	resp, text = r.Send(t, "/v1/pronunciation?reference_text=a", http.NoBody, "Content-Type", "audio/wav")
	servertest.CheckHTTP(t, resp, text, http.StatusBadRequest, codes.InvalidArgument, errs.InvalidRequest, false)
	resp, text = r.Send(t, "/v1/pronunciation?reference_text=a", servertest.Zeros(66<<20), "Content-Type", "audio/wav")
	servertest.CheckHTTP(t, resp, text, http.StatusBadRequest, codes.InvalidArgument, errs.InvalidRequest, false) // longer than a clip may be
	narrow := start(t, servertest.SpeechModels+"limits: {max_request_mb: 3}\n")
	for name, size := range map[string]int64{"more than a message": 3<<20 + 1, "more than a body": 5 << 20} {
		for _, body := range []io.Reader{servertest.Zeros(size), bytes.NewReader(make([]byte, size))} { // of no length, and of one
			resp, text := narrow.Send(t, "/v1/pronunciation?reference_text=a", body, "Content-Type", "audio/wav")
			if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, "INVALID_REQUEST") {
				t.Errorf("%s: %d %s", name, resp.StatusCode, text)
			}
		}
	}
}
