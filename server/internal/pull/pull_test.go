package pull

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

func TestLockedFileMustNotChange(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	model := testModel()
	tr.must(model, content)
	asked := len(h.received())
	if r := tr.must(model, content); !r.Present || r.FetchedBytes != 0 || r.Commit != testCommit {
		t.Errorf("%+v", r)
	}
	if len(h.received()) != asked {
		t.Error("the hub was asked for a file that is complete")
	}

	// A damaged file is downloaded again, from the locked commit.
	write(t, tr.path(model), "damaged")
	if r := tr.must(model, content); r.Present || r.FetchedBytes != testSize {
		t.Errorf("%+v", r)
	}
	if path := h.received()[asked].URL.Path; !strings.Contains(path, testCommit) {
		t.Errorf("%s is not the locked commit", path)
	}

	// The hub has a different file now: refused without Update.
	other := append([]byte("new"), content[3:]...)
	h.put(t, other)
	if err := os.Remove(tr.path(model)); err != nil {
		t.Fatal(err)
	}
	fetches := h.count(http.MethodGet)
	if e := tr.mustFail(model, Changed); !strings.Contains(e.Advice, "--update") || h.count(http.MethodGet) != fetches {
		t.Errorf("%s: it was downloaded nevertheless", e)
	}
	tr.opts.Update = true
	tr.must(model, other)
	tr.opts.Update = false
	if r := tr.must(model, other); !r.Present {
		t.Error("the new version was not locked")
	}
}

func TestChecksumOfTheCatalogue(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	model := testModel()
	model.Files[0].SHA256 = sha256Of([]byte("the content in the catalogue"))
	tr := newTrial(t, h.URL)
	tr.mustFail(model, Changed)
	if h.count(http.MethodGet) != 0 {
		t.Error("it was downloaded nevertheless")
	}
	model.Files[0].SHA256 = sha256Of(content)
	tr.must(model, content)

	// A lock that contradicts the catalogue is an error.
	model.Files[0].SHA256 = sha256Of(nil)
	if _, err := tr.pull(model); err == nil || !strings.Contains(err.Error(), lockName) {
		t.Error(err)
	}
}

func TestSmallFilesAreVerifiedByGitHash(t *testing.T) {
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

func TestUnknownFileIsNotReplaced(t *testing.T) {
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
	// A file that is the same as on the hub is accepted and locked.
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

func TestAdviceWithoutTheHub(t *testing.T) {
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
	// Follow the advice.
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

func TestDryRunWritesNothing(t *testing.T) {
	t.Parallel()
	h := newHub(t, random(t, testSize))
	tr := newTrial(t, h.URL)
	tr.opts.DryRun = true
	results, err := tr.pull(testModel())
	if err != nil || results[0].SizeBytes != testSize || results[0].SHA256 == "" || h.count(http.MethodGet) != 0 {
		t.Errorf("%+v %v", results, err)
	}
	if _, err := os.Stat(tr.opts.Dir); !os.IsNotExist(err) {
		t.Errorf("the directory was created: %v", err)
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
	// Of many at once, some fail with Busy, and none damages the file of another.
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

func TestDamagedLockIsAnError(t *testing.T) {
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
