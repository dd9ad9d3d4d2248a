package pull

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

const (
	testCommit = "0123456789abcdef0123456789abcdef01234567"
	testSize   = 1_000_003 // bytes: several ranges, the last one short
)

// hub is a server that behaves like the hub unless a test changes it.
type hub struct {
	*httptest.Server
	file string // path of the file that it serves

	mu       sync.Mutex
	requests []*http.Request
	sent     int64
	etag     string
	size     string // reported size; empty: that of the file
	sum      string // reported as X-Linked-Etag; empty: that of the file
	// head and get can answer a request instead; they report whether they did.
	head, get func(w http.ResponseWriter, r *http.Request) bool
}

// newHub starts a hub that serves content.
func newHub(t *testing.T, content []byte) *hub {
	t.Helper()
	h := &hub{file: filepath.Join(t.TempDir(), "content"), etag: `"v1"`}
	h.put(t, content)
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hub) put(t *testing.T, content []byte) {
	t.Helper()
	if err := os.WriteFile(h.file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func random(t *testing.T, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(t.Name()))).Read(b)
	return b
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.requests = append(h.requests, r)
	head, get, tag, size, sum := h.head, h.get, h.etag, h.size, h.sum
	h.mu.Unlock()
	hook := get
	if r.Method == http.MethodHead {
		hook = head
	}
	if hook != nil && hook(w, r) {
		return
	}
	if r.Method == http.MethodHead && !strings.HasPrefix(r.URL.Path, "/cdn/") {
		content, err := os.ReadFile(h.file)
		if err != nil {
			panic(err)
		}
		if sum == "" {
			sum = sha256Of(content)
		}
		if size == "" {
			size = strconv.Itoa(len(content))
		}
		w.Header().Set("X-Repo-Commit", testCommit)
		w.Header().Set("X-Linked-Etag", `"`+sum+`"`)
		w.Header().Set("X-Linked-Size", size)
		w.Header().Set("Location", "/cdn/file")
		w.WriteHeader(http.StatusFound)
		return
	}
	if !strings.HasPrefix(r.URL.Path, "/cdn/") {
		w.Header().Set("X-Repo-Commit", testCommit)
		http.Redirect(w, r, "/cdn/file?signature=secret", http.StatusFound)
		return
	}
	f, err := os.Open(h.file)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	http.ServeContent(&counting{ResponseWriter: w, hub: h}, r, "", time.Time{}, f)
}

// counting counts the bytes of responses.
type counting struct {
	http.ResponseWriter
	hub *hub
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.hub.mu.Lock()
	c.hub.sent += int64(n)
	c.hub.mu.Unlock()
	return n, err
}

// cut is a response that breaks off after left bytes.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(b []byte) (int, error) {
	if len(b) <= c.left {
		c.left -= len(b)
		return c.ResponseWriter.Write(b)
	}
	_, _ = c.ResponseWriter.Write(b[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// received returns the requests so far.
func (h *hub) received() []*http.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// sentBytes returns how many bytes of files were sent by responses that ended.
func (h *hub) sentBytes() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sent
}

func (h *hub) count(method string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, r := range h.requests {
		if r.Method == method {
			n++
		}
	}
	return n
}

func sha256Of(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func gitBlobOf(b []byte) string {
	s := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...))
	return hex.EncodeToString(s[:])
}

// testModel is a model of one file in a directory.
func testModel() catalog.Model {
	return catalog.Model{
		Name: "test", Repo: "owner/name", Revision: "main",
		Files: []catalog.File{{Path: "dir/model.bin", Local: "whisper/model.bin", SizeMB: 1}},
	}
}

// trial is a models directory and the options of its pulls.
type trial struct {
	t    *testing.T
	opts Options
	mu   sync.Mutex
	wait []time.Duration
}

func newTrial(t *testing.T, endpoint string) *trial {
	t.Helper()
	tr := &trial{t: t}
	tr.opts = Options{
		Dir: filepath.Join(t.TempDir(), "models"), Endpoint: endpoint, ChunkBytes: 100_000, CheckpointBytes: 50_000,
		Attempts: 3, Stall: time.Minute, TrustOnFirstUse: true,
		free: func(string) (int64, error) { return 1 << 40, nil },
		wait: func(ctx context.Context, d time.Duration) error {
			tr.mu.Lock()
			defer tr.mu.Unlock()
			tr.wait = append(tr.wait, d)
			return ctx.Err()
		},
	}
	return tr
}

func (tr *trial) pull(model catalog.Model) ([]Result, error) {
	return tr.pullContext(tr.t.Context(), model)
}

func (tr *trial) pullContext(ctx context.Context, model catalog.Model) ([]Result, error) {
	tr.t.Helper()
	c, err := Open(tr.opts)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := c.Close(); err != nil {
			tr.t.Error(err)
		}
	}()
	return c.Pull(ctx, model)
}

// must pulls; the file must then be correct and readable, without leftovers.
func (tr *trial) must(model catalog.Model, content []byte) Result {
	tr.t.Helper()
	results, err := tr.pull(model)
	if err != nil {
		tr.t.Fatal(err, advice(err))
	}
	r := results[0]
	got, err := os.ReadFile(tr.path(model))
	if err != nil {
		tr.t.Fatal(err)
	}
	if sha256Of(got) != sha256Of(content) || r.SHA256 != sha256Of(content) {
		tr.t.Errorf("the file differs: %d bytes, want %d", len(got), len(content))
	}
	if info, err := os.Stat(tr.path(model)); err != nil || info.Mode().Perm() != 0o644 {
		tr.t.Errorf("mode %v %v", info.Mode(), err)
	}
	for _, name := range []string{partName(tr.path(model)), stateName(tr.path(model)), stateName(tr.path(model)) + ".tmp"} {
		if _, err := os.Lstat(name); err == nil {
			tr.t.Errorf("%s was left behind", name)
		}
	}
	return r
}

// mustFail pulls; it must fail, and the file must not exist.
func (tr *trial) mustFail(model catalog.Model, kind Kind) *Error {
	tr.t.Helper()
	_, err := tr.pull(model)
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind {
		tr.t.Fatalf("%v (%T), want kind %d", err, err, kind)
	}
	if _, err := os.Lstat(tr.path(model)); err == nil {
		tr.t.Error("the file exists after a failed pull")
	}
	return e
}

func (tr *trial) path(model catalog.Model) string {
	return filepath.Join(tr.opts.Dir, filepath.FromSlash(model.Files[0].Local))
}

func advice(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Advice
	}
	return ""
}
