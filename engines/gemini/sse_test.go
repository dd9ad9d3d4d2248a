package gemini_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// events returns an answer whose body is raw.
func events(contentType, raw string) geminitest.Answer {
	return geminitest.Answer{Raw: []byte(raw), Header: http.Header{"Content-Type": {contentType}}}
}

// chunks returns the JSON of an answer, piece by piece, indented in several lines
// if indent is set.
func chunks(t *testing.T, indent bool, text ...string) []string {
	t.Helper()
	var all []string
	for _, c := range geminitest.Text(text...).Chunks {
		encode := json.Marshal
		if indent {
			encode = func(v any) ([]byte, error) { return json.MarshalIndent(v, "", "  ") }
		}
		b, err := encode(c)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return all
}

// Everything that the format of server-sent events allows may come from a proxy at
// base_url, and does not end the answer.
func TestStreamsOfProxies(t *testing.T) {
	server, m := open(t)
	p := chunks(t, false, "Xin ", "chào")
	long := chunks(t, true, "Xin ", "chào")
	lines := func(s string) string { return "data: " + strings.ReplaceAll(s, "\n", "\ndata: ") }
	plain := "data: " + p[0] + "\n\ndata: " + p[1] + "\n\n"
	for name, body := range map[string]string{
		"plain":                   plain,
		"no space":                strings.ReplaceAll(plain, "data: ", "data:"),
		"comment first":           ": connected\n\n" + plain,
		"comments between":        "data: " + p[0] + "\n\n: keep-alive\n\n:\n\n:\n\ndata: " + p[1] + "\n\n: end\n",
		"comment in an event":     ": a\ndata: " + p[0] + "\n: b\n\ndata: " + p[1] + "\n: c\n\n",
		"event and id":            "event: message\nid: 1\ndata: " + p[0] + "\n\nid: 2\nevent: message\ndata: " + p[1] + "\nretry: 1000\n\n",
		"fields without data":     "retry: 3000\n\nevent: ping\n\ndata\n\ndata:\n\n" + plain,
		"several lines":           lines(long[0]) + "\n\n" + lines(long[1]) + "\n\n",
		"empty line of data":      "data: " + strings.Replace(p[0], ":", ":\ndata:\ndata: ", 1) + "\n\ndata: " + p[1] + "\n\n",
		"CRLF, comments":          ": a\r\n\r\n" + strings.ReplaceAll(plain, "\n", "\r\n"),
		"CR":                      strings.ReplaceAll(": a\n\n"+plain, "\n", "\r"),
		"mixed line ends":         "data: " + p[0] + "\r\n\ndata: " + p[1] + "\n\r\n",
		"byte-order mark":         "\xef\xbb\xbf" + plain,
		"byte-order mark, a line": "\xef\xbb\xbf\n" + plain,
		"many empty lines":        "\n\n\n" + strings.ReplaceAll(plain, "\n\n", "\n\n\n\n"),
		"no end":                  strings.TrimRight(plain, "\n"),
		"[DONE]":                  plain + "data: [DONE]\n\n",
		"unknown field":           "x-proxy: 1\n" + plain + "trace\n\n",
	} {
		for _, contentType := range []string{"text/event-stream;charset=utf-8", "text/plain"} {
			server.Answer(events(contentType, body))
			text, last, err := chat(t.Context(), m, say("x"))
			if err != nil || text != "Xin chào" || last.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_STOP {
				t.Errorf("%s, %s: %q, %v, %v", name, contentType, text, last.GetFinishReason(), err)
			}
		}
	}
}

// Errors in a stream are still errors, and a proxy cannot make it unlimited.
func TestErrorsInStreamsOfProxies(t *testing.T) {
	server, m := open(t)
	p := chunks(t, false, "Xin ", "chào")
	failure := `{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}`
	for name, c := range map[string]struct {
		body, text string
		reason     errs.Reason
		part       string
	}{
		"an event":                  {"event: error\ndata: " + failure + "\n\n", "", errs.EngineCrashed, "503"},
		"after a piece":             {"data: " + p[0] + "\n\n: x\n\ndata: " + failure + "\n\n", "Xin ", errs.EngineCrashed, "503"},
		"without a field":           {": x\n\n" + failure, "", errs.EngineCrashed, "503"},
		"without, in several lines": {strings.ReplaceAll(failure, ", ", ",\n"), "", errs.EngineCrashed, "503"},
		"no JSON":                   {"data: " + p[0] + "\n\ndata: {\n\n", "Xin ", errs.EngineCrashed, "interrupted"},
		"only comments":             {": a\n\n: b\n\n", "", errs.EngineCrashed, "interrupted"},
		"HTML":                      {"<html>\n<p>data</p>\n\n", "", errs.EngineCrashed, "interrupted"},
		"too long a line":           {"data: " + strings.Repeat("x", 9<<20), "", errs.Internal, "larger"},
		"too many comments":         {strings.Repeat(": keep-alive\n\n", 1<<20), "", errs.Internal, "larger"},
	} {
		server.Answer(events("text/event-stream", c.body))
		text, _, err := chat(t.Context(), m, say("x"))
		if errs.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.part) || text != c.text {
			t.Errorf("%s: %q, %.300v", name, text, err)
		}
	}
}

// A piece of the answer is passed on before the next byte arrives, whatever its
// line ends.
func TestEventsAreNotDelayed(t *testing.T) {
	server, m := open(t)
	p := chunks(t, false, "Xin ", "chào")
	for _, end := range []string{"\n", "\r\n", "\r"} {
		a := events("text/event-stream", "")
		a.Raw = []byte("data: " + p[0] + end + end)
		a.Raw = append(a.Raw, a.Raw...) // Hold sends half of it, and then nothing
		a.Hold = true
		server.Answer(a)
		text := ""
		err := m.Chat(t.Context(), say("x"), func(r *gatewayv1.StreamChatResponse) error {
			text = r.GetDelta()
			return errs.New(errs.Cancelled, "enough")
		})
		if text != "Xin " || errs.ReasonOf(err) != errs.Cancelled {
			t.Errorf("%q: %q, %v", end, text, err)
		}
	}
}
