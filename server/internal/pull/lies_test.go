package pull

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAnswersThatAreNoFile(t *testing.T) {
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

// TestLies has a server for every way of contradicting itself.
func TestLies(t *testing.T) {
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
		"hub announces less":           {Broken, func(h *hub) { h.size = "999999" }},
		"hub announces more":           {Broken, func(h *hub) { h.size = "1000009" }},
		"hub announces a huge file":    {Broken, func(h *hub) { h.size = "9000000000000000000" }},
		"hub announces less than none": {Broken, func(h *hub) { h.size = "-1" }},
		"hub announces no number":      {Broken, func(h *hub) { h.size = "many" }},
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
		"a checksum that is none": {Broken, func(h *hub) { h.sum = "../../../etc/passwd" }},
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
				t.Errorf("%s: wrong bytes are kept", name)
			}
		}
	}
}

func TestAnEndlessBodyEndsWhereTheFileDoes(t *testing.T) {
	t.Parallel()
	h := newHub(t, make([]byte, testSize)) // zeros, as the endless stream has
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

func TestRedirectsElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	var visits atomic.Int64
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(foreign.Close)
	for name, test := range map[string]struct {
		to   string
		kind Kind
	}{
		"another port":        {foreign.URL + "/x", Refused},
		"another host":        {"https://example.org/x", Refused},
		"plain http":          {"http://huggingface.co/x", Refused},
		"a like-named host":   {"https://evilhuggingface.co/x", Refused},
		"a host's subdomain":  {"https://hf.co.example.org/x", Refused},
		"another port of it":  {"https://hf.co:8443/x", Refused},
		"a password":          {"https://hf.co@example.org/x", Refused},
		"user at a good host": {"https://u:p@cdn-lfs.hf.co/x", Refused},
		"another scheme":      {"file:///etc/passwd", Refused},
		"itself":              {"", Broken},
	} {
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			h := newHub(t, random(t, testSize))
			answer := func(w http.ResponseWriter, r *http.Request) bool {
				to := test.to
				if to == "" {
					to = r.URL.Path
				}
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
				return true
			}
			if method == http.MethodHead {
				h.head = answer
			} else {
				h.get = answer
			}
			e := newTrial(t, h.URL).mustFail(testModel(), test.kind)
			t.Logf("%s by %s: %s", name, method, e.Message)
		}
	}
	if visits.Load() != 0 {
		t.Errorf("the foreign host was asked %d times", visits.Load())
	}
}

func TestAnAllowedHostMayServe(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	store, front := newHub(t, content), newHub(t, content)
	front.get = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, store.URL+"/cdn/file", http.StatusTemporaryRedirect)
		return true
	}
	tr := newTrial(t, front.URL)
	tr.mustFail(testModel(), Refused)
	tr.opts.AllowHosts = []string{strings.TrimPrefix(store.URL, "http://")}
	tr.must(testModel(), content)
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://huggingface.co", "https://mirror.example.org/hub/", "http://127.0.0.1:8080", "http://[::1]:80", "http://localhost"} {
		if _, err := newHosts(good, nil); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"huggingface.co", "http://mirror.example.org", "ftp://x", "https://", "https://u:secret@x", "https://x?y=1", "https://x#y", "file:///x", "::", "http://127.0.0.1.example.org"} {
		_, err := newHosts(bad, nil)
		if err == nil {
			t.Errorf("%s: accepted", bad)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v shows the password", err)
		}
	}
}
