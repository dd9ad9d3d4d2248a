package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// send posts a body with headers in pairs. An io.MultiReader hides its length.
func (r *running) send(t *testing.T, path string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodPost, r.http+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, req)
}

// field is a part of a form; a file has a media type.
type field struct{ name, media, value string }

// form makes a multipart body.
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

// zeros is n bytes of a body.
func zeros(n int64) io.Reader { return io.LimitReader(nothing{}, n) }

type nothing struct{}

func (nothing) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTranscribeTakesBodiesOfAnyForm(t *testing.T) {
	r := start(t, speechModels)
	small, smallType := form(t, field{"file", "audio/wav", "0123456789"}, field{"language", "", "en"})
	named, namedType := form(t, field{"model", "", "qwen"}, field{"audio", "audio/pcm;rate=8000", "0123456789"})
	for name, c := range map[string]struct {
		path, media string
		body        io.Reader
		want        string
	}{
		"JSON":                     {"", "application/json", strings.NewReader(`{"audio":"AAAA"}`), "3 bytes"},
		"undeclared JSON":          {"", "", strings.NewReader("\n {\"audio\":\"AAAA\"}"), "3 bytes"},
		"JSON as curl says":        {"", "application/x-www-form-urlencoded", strings.NewReader(`{"audio":"AAAA"}`), "3 bytes"},
		"WAV":                      {"?language=en&word_timestamps=true&priority=high", "audio/wav", zeros(5 << 20), "5242880 bytes"},
		"anything":                 {"", "application/octet-stream", zeros(100), "100 bytes"},
		"a browser's":              {"", "audio/webm;codecs=opus", zeros(100), "100 bytes"},
		"PCM":                      {"", "audio/L16; rate=8000; channels=2", zeros(100), "100 bytes"},
		"PCM by the query":         {"?encoding=pcm_f32le&sample_rate_hertz=48000&channel_count=2", "audio/pcm", zeros(100), "100 bytes"},
		"undeclared audio":         {"", "", strings.NewReader("RIFFxxxx"), "8 bytes"},
		"audio as curl says":       {"", "application/x-www-form-urlencoded", strings.NewReader("RIFFxxxx"), "8 bytes"},
		"undeclared PCM":           {"?encoding=PCM_S16LE", "", strings.NewReader("{}"), "2 bytes"},
		"longer than any message":  {"", "audio/flac", zeros(100 << 20), "104857600 bytes"},
		"form":                     {"", smallType, small, "10 bytes"},
		"form with another name":   {"?translate=true", namedType, named, "10 bytes"},
		"a form's long file":       {"", "multipart/form-data; boundary=x", longForm(20<<20, "language", ""), "20971520 bytes"},
		"of no length":             {"", "audio/wav", io.MultiReader(zeros(70_000)), "70000 bytes"},
		"empty":                    {"", "audio/wav", http.NoBody, "0 bytes"},
		"no interim where no such": {"?interim_results=true", "audio/wav", zeros(70_000), "70000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, text := r.send(t, "/v1/transcribe"+c.path, c.body, "Content-Type", c.media)
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
		resp, text := r.send(t, "/v1/transcribe", strings.NewReader(body), "Content-Type", media, "Accept", "text/plain, application/json;q=0.5")
		if text != "3 bytes\n" || resp.Header.Get("X-Modelgateway-Model") != "qwen" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") ||
			!strings.Contains(resp.Header.Get("Server-Timing"), "inference;dur=") {
			t.Errorf("as text: %q %v", text, resp.Header)
		}
	}
}

// longForm is a form with a field before a file of n zeros, and one behind it if
// it has a name.
func longForm(n int64, before, behind string) io.Reader {
	const begin = "--x\r\nContent-Disposition: form-data; name=%q\r\n\r\nen\r\n"
	head := fmt.Sprintf(begin, before) + "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
	tail := "\r\n"
	if behind != "" {
		tail += fmt.Sprintf(begin, behind)
	}
	return io.MultiReader(strings.NewReader(head), zeros(n), strings.NewReader(tail+"--x--\r\n"))
}

func TestBodiesThatCannotBeTranscribed(t *testing.T) {
	r := start(t, speechModels)
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
		"unknown option":         {"?langauge=en", "audio/wav", zeros(10), codes.InvalidArgument, errs.InvalidRequest, "langauge"},
		"wrong option":           {"?beam_size=many", "audio/wav", zeros(10), codes.InvalidArgument, errs.InvalidRequest, "beam_size"},
		"option out of range":    {"?beam_size=17", "audio/wav", zeros(10), codes.InvalidArgument, errs.InvalidRequest, "beam_size"},
		"wrong priority":         {"?priority=urgent", "audio/wav", zeros(10), codes.InvalidArgument, errs.InvalidRequest, "PRIORITY_URGENT"},
		"big-endian":             {"", "audio/L16;rate=16000;endianness=big-endian", zeros(10), codes.InvalidArgument, errs.InvalidRequest, "little-endian"},
		"rate out of range":      {"", "audio/L16;rate=1", zeros(10), codes.InvalidArgument, errs.InvalidRequest, "sample_rate_hertz"},
		"no such model":          {"?model=nobody", "audio/wav", zeros(100 << 20), codes.NotFound, errs.ModelNotFound, "nobody"},
		"no boundary":            {"", "multipart/form-data", zeros(10), codes.InvalidArgument, errs.InvalidRequest, "boundary"},
		"no file":                {"", noneType, none, codes.InvalidArgument, errs.InvalidRequest, "no file"},
		"two files":              {"", twiceType, twice, codes.InvalidArgument, errs.InvalidRequest, "more than one file"},
		"unknown field":          {"", unknownType, unknown, codes.InvalidArgument, errs.InvalidRequest, "langauge"},
		"10,000 fields":          {"", floodType, flood, codes.InvalidArgument, errs.InvalidRequest, "more than 32 fields"},
		"giant headers":          {"", formX, strings.NewReader(headers), codes.InvalidArgument, errs.InvalidRequest, "larger than 1048576"},
		"endless preamble":       {"", formX, zeros(100 << 20), codes.InvalidArgument, errs.InvalidRequest, "cannot be read"},
		"a form cut short":       {"", formX, strings.NewReader("--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc"), codes.InvalidArgument, errs.InvalidRequest, "before its end"},
		"fields too late":        {"", formX, longForm(5<<20, "language", "translate"), codes.InvalidArgument, errs.InvalidRequest, "before a file of more than"},
		"broken JSON":            {"", "", strings.NewReader("{"), codes.InvalidArgument, errs.InvalidRequest, "unexpected"},
		"an unreadable type":     {"", "audio/", zeros(10), codes.InvalidArgument, errs.InvalidRequest, ""},
		"a config of the socket": {"", "application/json", strings.NewReader(`{"language":"en"}`), codes.InvalidArgument, errs.InvalidRequest, "language"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, text := r.send(t, "/v1/transcribe"+c.path, c.body, "Content-Type", c.media)
			want := http.StatusBadRequest
			if c.code == codes.NotFound {
				want = http.StatusNotFound
			}
			checkHTTP(t, resp, text, want, c.code, c.reason, false)
			if !strings.Contains(text, c.says) {
				t.Errorf("%q is not in %s", c.says, text)
			}
		})
	}
	eventually(t, func() bool { return activeRequests(t, r) == 0 })
}

// raw writes a request by hand and returns the connection.
func raw(t *testing.T, r *running, request string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A length of any size reserves nothing, and a recording that does not come keeps
// nobody from the model. The answer to what cannot be served does not wait for
// the end of the body.
func TestALyingLengthCostsNothing(t *testing.T) {
	r := start(t, speechModels)
	const head = "POST /v1/transcribe%s HTTP/1.1\nHost: localhost\nContent-Type: audio/wav\nContent-Length: 9000000000000\n\nRIFF"
	for range 40 {
		raw(t, r, fmt.Sprintf(head, ""))
	}
	if resp, text := r.send(t, "/v1/transcribe", zeros(50<<20), "Content-Type", "audio/wav"); resp.StatusCode != http.StatusOK {
		t.Errorf("beside them: %d %s", resp.StatusCode, text)
	}
	conn := raw(t, r, fmt.Sprintf(head, "?model=nobody"))
	if _, err := io.Copy(conn, zeros(5<<20)); err != nil {
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

// A caller that leaves in the middle of its body gives the model back.
func TestALostBodyReleasesTheModel(t *testing.T) {
	r := start(t, speechModels)
	conn := raw(t, r, "POST /v1/transcribe HTTP/1.1\nHost: localhost\nContent-Type: audio/wav\nContent-Length: 100000000\n\nRIFF")
	if _, err := io.Copy(conn, zeros(5<<20)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return activeRequests(t, r) == 1 })
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return activeRequests(t, r) == 0 })
	if served := model(t, r, "qwen"); served.GetState() != gatewayv1.ModelState_MODEL_STATE_READY {
		t.Errorf("the model is %v", served.GetState())
	}
}

func TestPronunciationTakesBodiesOfAnyForm(t *testing.T) {
	r := start(t, speechModels)
	behind, behindType := form(t, field{"file", "audio/wav", strings.Repeat("x", 10<<20)}, field{"reference_text", "", "one two"})
	for name, c := range map[string]struct {
		path, media string
		body        io.Reader
	}{
		"JSON":       {"", "application/json", strings.NewReader(`{"audio":"AAAA","reference_text":"one two"}`)},
		"raw":        {"?reference_text=one+two", "audio/wav", zeros(1000)},
		"form":       {"", behindType, behind},
		"a long one": {"?reference_text=one+two", "audio/wav", zeros(20 << 20)},
	} {
		resp, text := r.send(t, "/v1/pronunciation"+c.path, c.body, "Content-Type", c.media)
		var got struct{ Words []struct{ Text string } }
		if err := json.Unmarshal([]byte(text), &got); err != nil || resp.StatusCode != http.StatusOK || len(got.Words) != 2 {
			t.Errorf("%s: %d %v %.300s", name, resp.StatusCode, err, text)
		}
	}
	resp, text := r.send(t, "/v1/pronunciation", zeros(10), "Content-Type", "audio/wav")
	checkHTTP(t, resp, text, http.StatusBadRequest, codes.InvalidArgument, errs.InvalidRequest, false)
	resp, text = r.send(t, "/v1/pronunciation?reference_text=a", http.NoBody, "Content-Type", "audio/wav")
	checkHTTP(t, resp, text, http.StatusBadRequest, codes.InvalidArgument, errs.InvalidRequest, false)
	resp, text = r.send(t, "/v1/pronunciation?reference_text=a", zeros(66<<20), "Content-Type", "audio/wav")
	checkHTTP(t, resp, text, http.StatusBadRequest, codes.InvalidArgument, errs.InvalidRequest, false) // more than a clip
	narrow := start(t, speechModels+"limits: {max_request_mb: 3}\n")
	for name, size := range map[string]int64{"more than a message": 3<<20 + 1, "more than a body": 5 << 20} {
		for _, body := range []io.Reader{zeros(size), bytes.NewReader(make([]byte, size))} { // of no length, and of one
			resp, text := narrow.send(t, "/v1/pronunciation?reference_text=a", body, "Content-Type", "audio/wav")
			if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, "INVALID_REQUEST") {
				t.Errorf("%s: %d %s", name, resp.StatusCode, text)
			}
		}
	}
}
