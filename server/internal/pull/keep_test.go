package pull

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

func TestWhatIsLockedIsHeldTo(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	model := testModel()
	tr.must(model, content)
	asked := len(h.asked())
	if r := tr.must(model, content); !r.Present || r.FetchedBytes != 0 || r.Commit != testCommit {
		t.Errorf("%+v", r)
	}
	if len(h.asked()) != asked {
		t.Error("a file that is there and right was asked for")
	}

	// Damage on disk is repaired, from the locked commit.
	write(t, tr.path(model), "damaged")
	if r := tr.must(model, content); r.Present || r.FetchedBytes != testSize {
		t.Errorf("%+v", r)
	}
	if path := h.asked()[asked].URL.Path; !strings.Contains(path, testCommit) {
		t.Errorf("%s is not the locked commit", path)
	}

	// The hub has another file now: refused, until it is welcome.
	other := append([]byte("new"), content[3:]...)
	h.put(t, other)
	if err := os.Remove(tr.path(model)); err != nil {
		t.Fatal(err)
	}
	fetches := h.count(http.MethodGet)
	if e := tr.mustFail(model, Changed); !strings.Contains(e.Advice, "--update") || h.count(http.MethodGet) != fetches {
		t.Errorf("%s: it was fetched all the same", e)
	}
	tr.opts.Update = true
	tr.must(model, other)
	tr.opts.Update = false
	if r := tr.must(model, other); !r.Present {
		t.Error("it was not locked anew")
	}
}

func TestTheListsChecksumCounts(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	model := testModel()
	model.Files[0].SHA256 = sha256Of([]byte("what the list knows"))
	tr := newTrial(t, h.URL)
	tr.mustFail(model, Changed)
	if h.count(http.MethodGet) != 0 {
		t.Error("it was fetched all the same")
	}
	model.Files[0].SHA256 = sha256Of(content)
	tr.must(model, content)

	// A lock that contradicts the list is not followed.
	model.Files[0].SHA256 = sha256Of(nil)
	if _, err := tr.pull(model); err == nil || !strings.Contains(err.Error(), lockName) {
		t.Error(err)
	}
}

func TestSmallFilesAreJudgedByGitsHash(t *testing.T) {
	t.Parallel()
	content := []byte(`{"small": true}`)
	h := newHub(t, content)
	h.head = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("ETag", `W/"`+gitBlobOf(content)+`"`)
		w.Header().Set("Content-Length", "15")
		w.Header().Set("X-Repo-Commit", testCommit)
		return true
	}
	tr := newTrial(t, h.URL)
	tr.must(testModel(), content)
	h.put(t, []byte(`{"small":false}`))
	tr = newTrial(t, h.URL)
	tr.mustFail(testModel(), Checksum)
}

func TestAForeignFileIsNotReplaced(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	path := tr.path(testModel())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, path, "mine")
	if _, err := tr.pull(testModel()); err == nil || !strings.Contains(advice(err), "--update") {
		t.Error(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "mine" {
		t.Error("it was replaced")
	}
	// The very file that the hub has is welcome, and locked.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := tr.must(testModel(), content); !r.Present {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(filepath.Join(tr.opts.Dir, lockName)); err != nil {
		t.Error(err)
	}
}

func TestWithoutTheHub(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	h.Close()
	tr := newTrial(t, h.URL)
	model := testModel()
	model.Files[0].SHA256 = sha256Of(content)
	e := tr.mustFail(model, Unreachable)
	for _, want := range []string{"https://huggingface.co/owner/name/resolve/main/dir/model.bin", tr.path(model), sha256Of(content), "--mirror", "HF_ENDPOINT"} {
		if !strings.Contains(e.Advice, want) {
			t.Errorf("no %q in the advice:\n%s", want, e.Advice)
		}
	}
	// As the advice says.
	if err := os.MkdirAll(filepath.Dir(tr.path(model)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tr.path(model), content, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := tr.must(model, content); !r.Present {
		t.Errorf("%+v", r)
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	t.Parallel()
	h := newHub(t, random(t, testSize))
	tr := newTrial(t, h.URL)
	tr.opts.DryRun = true
	results, err := tr.pull(testModel())
	if err != nil || results[0].SizeBytes != testSize || results[0].SHA256 == "" || h.count(http.MethodGet) != 0 {
		t.Errorf("%+v %v", results, err)
	}
	if _, err := os.Stat(tr.opts.Dir); !os.IsNotExist(err) {
		t.Errorf("the directory was made: %v", err)
	}
}

func TestOnePullAtATime(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	first, err := Open(tr.opts)
	if err != nil {
		t.Fatal(err)
	}
	tr.mustFail(testModel(), Busy)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	// Of many at once some are told to wait, and none spoils another's file.
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() { _, errs[i] = tr.pull(testModel()) })
	}
	group.Wait()
	succeeded := 0
	for _, err := range errs {
		var e *Error
		switch {
		case err == nil:
			succeeded++
		case !errors.As(err, &e) || e.Kind != Busy:
			t.Error(err)
		}
	}
	if succeeded == 0 {
		t.Error("none succeeded")
	}
	tr.must(testModel(), content)
}

// TestLinksLeadNowhere has someone who can write to the models directory, and
// wants another file changed.
func TestLinksLeadNowhere(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	for name, place := range map[string]string{
		"folder": "whisper", "file": "whisper/model.bin", "part": "whisper/model.bin.part", "note": "whisper/model.bin.part.json",
		"note's temporary": "whisper/model.bin.part.json.tmp", "lock": lockName, "lock's temporary": lockName + ".tmp", "mutex": mutexName,
	} {
		for _, absent := range []bool{false, true} {
			h := newHub(t, content)
			tr := newTrial(t, h.URL)
			outside := filepath.Join(t.TempDir(), "outside")
			if name == "folder" {
				if err := os.Mkdir(outside, 0o755); err != nil {
					t.Fatal(err)
				}
			} else if !absent {
				write(t, outside, "precious")
			}
			link := filepath.Join(tr.opts.Dir, filepath.FromSlash(place))
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, link); err != nil {
				t.Fatal(err)
			}
			_, err := tr.pull(testModel())
			t.Logf("%s: %v", name, err)
			if err != nil && advice(err) == "" && !strings.Contains(err.Error(), "no plain file") {
				t.Errorf("%s: %v says nothing that helps", name, err)
			}
			if name == "folder" {
				if left, _ := os.ReadDir(outside); len(left) != 0 {
					t.Errorf("%s: %v was written outside", name, left)
				}
				continue
			}
			got, err := os.ReadFile(outside)
			if absent && !os.IsNotExist(err) || !absent && string(got) != "precious" {
				t.Errorf("%s: outside is %d bytes now, %v", name, len(got), err)
			}
		}
	}
}

func TestADamagedLockIsNotGuessed(t *testing.T) {
	t.Parallel()
	h := newHub(t, random(t, testSize))
	for _, text := range []string{
		"", "{", "[]", `{"version":2,"files":{}}`, `{"version":1,"files":{"../x":{"source":"","size_bytes":1,"sha256":"` + sha256Of(nil) + `"}}}`,
		`{"version":1,"files":{"x":{"size_bytes":1,"sha256":"../../etc"}}}`, `{"version":1,"files":{},"run":"x"}`, `{"version":1,"files":{}} {}`,
		`{"version":1,"files":{"x":{"source":"","commit":"main","size_bytes":1,"sha256":"` + sha256Of(nil) + `"}}}`,
		strings.Repeat(" ", maxLockBytes+1),
	} {
		tr := newTrial(t, h.URL)
		if err := os.Mkdir(tr.opts.Dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(tr.opts.Dir, lockName), text)
		tr.mustFail(testModel(), Path)
	}
}

// TestTheTokenStaysWithTheHub has the real names lead to servers of its own.
func TestTheTokenStaysWithTheHub(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	store, front := newHub(t, content), newHub(t, content)
	toStore := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			w.Header().Set("X-Linked-Etag", sha256Of(content))
			w.Header().Set("X-Linked-Size", "1000003")
		}
		w.Header().Set("Location", "https://cdn-lfs.hf.co/cdn/file")
		w.WriteHeader(http.StatusFound)
		return true
	}
	front.head, front.get = toStore, toStore
	names := map[string]string{}
	for name, h := range map[string]*hub{"huggingface.co:443": front, "cdn-lfs.hf.co:443": store, "mirror.example.org:443": front} {
		s := httptest.NewTLSServer(h)
		t.Cleanup(s.Close)
		names[name] = s.Listener.Addr().String()
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, names[addr])
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // names that these servers do not have
	}
	tokens := func(h *hub) (with, without int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, r := range h.requests {
			if r.Header.Get("Authorization") == "Bearer hf_secret" {
				with++
			} else {
				without++
			}
		}
		h.requests = nil
		return with, without
	}
	for _, endpoint := range []string{"", "https://mirror.example.org"} {
		tr := newTrial(t, endpoint)
		tr.opts.Token, tr.opts.Transport = "hf_secret", transport
		tr.must(testModel(), content)
		if with, _ := tokens(store); with != 0 {
			t.Errorf("%q: the store got the token %d times", endpoint, with)
		}
		if with, without := tokens(front); endpoint == "" && (with == 0 || without != 0) || endpoint != "" && with != 0 {
			t.Errorf("%q: %d requests with the token, %d without", endpoint, with, without)
		}
	}
}

func TestInstalled(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	model := testModel()
	model.Files = append(model.Files, catalog.File{Path: "x", Local: "whisper/x", SizeMB: 1})
	if complete, n := Installed(tr.opts.Dir, model); complete || n != 0 {
		t.Error(complete, n)
	}
	tr.must(testModel(), content)
	if complete, n := Installed(tr.opts.Dir, model); complete || n != testSize {
		t.Error(complete, n)
	}
	if complete, _ := Installed(tr.opts.Dir, testModel()); !complete {
		t.Error("not installed")
	}
	write(t, tr.path(model), "short")
	if complete, _ := Installed(tr.opts.Dir, testModel()); complete {
		t.Error("a file of another size counts")
	}
}
