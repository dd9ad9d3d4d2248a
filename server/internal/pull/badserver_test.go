package pull

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestErrorStatuses(t *testing.T) {
	t.Parallel()
	for code, kind := range map[int]Kind{
		http.StatusNotFound: NotFound, http.StatusGone: NotFound,
		http.StatusUnauthorized: Denied, http.StatusForbidden: Denied,
		http.StatusTeapot: Broken, http.StatusInternalServerError: Unreachable,
	} {
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			h := newHub(t, random(t, testSize))
			answer := func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(code); return true }
			if method == http.MethodHead {
				h.head = answer
			} else {
				h.get = answer
			}
			e := newTrial(t, h.URL).mustFail(testModel(), kind)
			if kind == Denied && !strings.Contains(e.Advice, "HF_TOKEN") {
				t.Errorf("%d: %s", code, e.Advice)
			}
		}
	}
}

// A server that contradicts itself or the hub is an error.
func TestInconsistentServers(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	partial := func(contentRange string, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	stream := func(body []byte) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body)
			return true
		}
	}
	for name, test := range map[string]struct {
		kind  Kind
		setup func(h *hub)
	}{
		"hub reports less":             {Broken, func(h *hub) { h.size = "999999" }},
		"hub reports more":             {Broken, func(h *hub) { h.size = "1000009" }},
		"hub reports a huge file":      {Broken, func(h *hub) { h.size = "9000000000000000000" }},
		"hub reports a negative size":  {Broken, func(h *hub) { h.size = "-1" }},
		"hub reports no number":        {Broken, func(h *hub) { h.size = "many" }},
		"another range":                {Broken, func(h *hub) { h.get = partial("bytes 7-7/1000003", "x") }},
		"no range":                     {Broken, func(h *hub) { h.get = partial("", "x") }},
		"another total":                {Broken, func(h *hub) { h.get = partial("bytes 0-0/77", "x") }},
		"a longer body than its range": {Broken, func(h *hub) { h.get = partial("bytes 0-0/1000003", strings.Repeat("x", 99)) }},
		"a longer stream":              {Broken, func(h *hub) { h.get = stream(append(content, 'x')) }},
		"a shorter stream":             {Broken, func(h *hub) { h.get = stream(content[:testSize-1]) }},
		"other bytes in ranges": {Checksum, func(h *hub) {
			other := append([]byte(nil), content...)
			other[testSize/2] ^= 1
			h.sum = sha256Of(content)
			if err := os.WriteFile(h.file, other, 0o600); err != nil {
				t.Error(err)
			}
		}},
		"other bytes in a stream": {Checksum, func(h *hub) { h.get = stream(make([]byte, testSize)) }},
		"an invalid checksum":     {Broken, func(h *hub) { h.sum = "../../../etc/passwd" }},
		"compressed": {Broken, func(h *hub) {
			h.get = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(content)
				return true
			}
		}},
	} {
		h := newHub(t, content)
		test.setup(h)
		tr := newTrial(t, h.URL)
		e := tr.mustFail(testModel(), test.kind)
		t.Logf("%s: %s", name, e.Message)
		if test.kind == Checksum {
			if _, err := os.Lstat(partName(tr.path(testModel()))); err == nil {
				t.Errorf("%s: the corrupt part was kept", name)
			}
		}
	}
}

func TestEndlessBodyIsCutAtTheSize(t *testing.T) {
	t.Parallel()
	h := newHub(t, make([]byte, testSize)) // zeros, like the endless body
	h.get = func(w http.ResponseWriter, r *http.Request) bool {
		zeros := make([]byte, 64<<10)
		for r.Context().Err() == nil {
			if _, err := w.Write(zeros); err != nil {
				break
			}
		}
		return true
	}
	tr := newTrial(t, h.URL)
	if r := tr.must(testModel(), make([]byte, testSize)); r.FetchedBytes != testSize {
		t.Errorf("%+v", r)
	}
}
