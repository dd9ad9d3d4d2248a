package pull

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestDownloadInRanges(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	var last Progress
	tr.opts.Progress = func(p Progress) { last = p }
	r := tr.must(testModel(), content)
	if r.FetchedBytes != testSize || r.ResumedBytes != 0 || r.Commit != testCommit {
		t.Errorf("%+v", r)
	}
	if want := "https://huggingface.co/owner/name/resolve/" + testCommit + "/dir/model.bin"; r.Source != want {
		t.Errorf("source %s, want %s", r.Source, want)
	}
	if last.Phase != Verifying || last.Done != testSize || last.Total != testSize {
		t.Errorf("the last progress was %+v", last)
	}
	// One probe and eleven ranges, each with a redirect from the hub.
	if got := h.count(http.MethodGet); got != 24 {
		t.Errorf("%d requests", got)
	}
	for _, r := range h.received() {
		if r.Method == http.MethodGet && r.Header.Get("Range") == "" {
			t.Error("a request without a range")
		}
		if strings.HasPrefix(r.URL.Path, "/owner") && !strings.Contains(r.URL.Path, testCommit) && r.Method == http.MethodGet {
			t.Errorf("%s does not contain the commit", r.URL)
		}
	}
}

func TestBrokenConnectionIsResumed(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	h.get = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/cdn/") {
			return false
		}
		w.Header().Set("ETag", `"v1"`)
		f, err := os.Open(h.file)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		http.ServeContent(&cut{ResponseWriter: w, left: 30_000}, r, "", time.Time{}, f)
		return true
	}
	tr := newTrial(t, h.URL)
	if r := tr.must(testModel(), content); r.FetchedBytes != testSize {
		t.Errorf("fetched %d bytes, want %d", r.FetchedBytes, testSize)
	}
}

func TestRetriesAreLimited(t *testing.T) {
	t.Parallel()
	h := newHub(t, random(t, testSize))
	h.get = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	tr := newTrial(t, h.URL)
	e := tr.mustFail(testModel(), Unreachable)
	if !strings.Contains(e.Message, "after 3 attempts") || len(tr.wait) != 2 || tr.wait[1] <= 0 {
		t.Errorf("%s, waits %v", e.Message, tr.wait)
	}
}

func TestCancelledPullIsResumed(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The server stops sending after the first half.
	var sent atomic.Int64
	h.get = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/cdn/") && sent.Add(1) > 6 {
			cancel()
			<-r.Context().Done()
			return true
		}
		return false
	}
	if _, err := tr.pullContext(ctx, testModel()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	// Another server, to count only the second attempt.
	second := newHub(t, content)
	tr.opts.Endpoint = second.URL
	r := tr.must(testModel(), content)
	second.Close() // waits for the handlers, which count the bytes
	if r.ResumedBytes == 0 || r.FetchedBytes+r.ResumedBytes != testSize || second.sentBytes() != r.FetchedBytes {
		t.Errorf("%+v, %d bytes were sent", r, second.sentBytes())
	}
}

func TestDamagedStateRestartsTheDownload(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	for name, text := range map[string]string{
		"no JSON":        "{",
		"wrong ranges":   `{"version":1,"size_bytes":1000003,"sha256":"` + sha256Of(content) + `","done":[[5,2]]}`,
		"beyond its end": `{"version":1,"size_bytes":1000003,"sha256":"` + sha256Of(content) + `","done":[[0,1000003]]}`,
		"three numbers":  `{"version":1,"size_bytes":1000003,"sha256":"` + sha256Of(content) + `","done":[[0,1,2]]}`,
		"another file":   `{"version":1,"size_bytes":1000003,"sha256":"` + sha256Of(nil) + `","done":[[0,4]]}`,
	} {
		h := newHub(t, content)
		tr := newTrial(t, h.URL)
		path := tr.path(testModel())
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, partName(path), "junk")
		write(t, stateName(path), text)
		if r := tr.must(testModel(), content); r.FetchedBytes != testSize {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestServerWithoutRanges(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	var streams atomic.Int64
	h.get = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") == "" && streams.Add(1) == 1 {
			w = &cut{ResponseWriter: w, left: 400_000}
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content)
		return true
	}
	tr := newTrial(t, h.URL)
	r := tr.must(testModel(), content)
	if streams.Load() != 2 || r.FetchedBytes <= testSize {
		t.Errorf("%d streams, %+v", streams.Load(), r)
	}
}

func TestChangedFileIsRestartedOnce(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	var n atomic.Int64
	always := false
	h.get = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/cdn/") {
			h.mu.Lock()
			if k := n.Add(1); k == 4 || always {
				h.etag = fmt.Sprintf(`"v%d"`, k)
			}
			h.mu.Unlock()
		}
		return false
	}
	tr := newTrial(t, h.URL)
	tr.opts.Streams = 1
	// The hook runs after the tag is read: the change is visible from the fifth request on.
	if r := tr.must(testModel(), content); r.FetchedBytes <= testSize {
		t.Errorf("%+v", r)
	}
	ifRange := slices.ContainsFunc(h.received(), func(r *http.Request) bool { return r.Header.Get("If-Range") == `"v1"` })
	if !ifRange {
		t.Error("no request had If-Range")
	}

	always = true
	tr = newTrial(t, h.URL)
	tr.mustFail(testModel(), Changed)
}

func TestStalledConnectionIsRetried(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	var n atomic.Int64
	h.get = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/cdn/") && n.Add(1) == 2 {
			w.Header().Set("Content-Range", "bytes 1-100000/1000003")
			w.WriteHeader(http.StatusPartialContent)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return true
		}
		return false
	}
	tr := newTrial(t, h.URL)
	tr.opts.Streams, tr.opts.Stall = 1, 2*time.Second
	tr.must(testModel(), content)
	if len(tr.wait) == 0 {
		t.Error("no request was retried")
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	var n atomic.Int64
	after := "77"
	h.head = func(w http.ResponseWriter, _ *http.Request) bool {
		if n.Add(1) > 1 {
			return false
		}
		w.Header().Set("Retry-After", after)
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	tr := newTrial(t, h.URL)
	tr.must(testModel(), content)
	if len(tr.wait) != 1 || tr.wait[0] != 77*time.Second {
		t.Errorf("waits %v", tr.wait)
	}

	n.Store(0)
	after = "86400"
	tr = newTrial(t, h.URL)
	if e := tr.mustFail(testModel(), Limited); !strings.Contains(e.Message, "24h") {
		t.Error(e)
	}
	if got := retryAfter(time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)); got < 3000 || got > 3700 {
		t.Errorf("a date in an hour is %d s", got)
	}
	for _, value := range []string{"", "-5", "soon", "Mon, 01 Jan 2001 00:00:00 GMT"} {
		if got := retryAfter(value); got != 0 {
			t.Errorf("%q is %d s", value, got)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
