package pull

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// pinnedModel is a model whose commit and checksum the catalogue has.
func pinnedModel(content []byte) catalog.Model {
	m := testModel()
	m.Revision = testCommit
	m.Files[0].SHA256 = sha256Of(content)
	return m
}

func TestFirstUseMustBeAllowed(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	var notices []string
	tr.opts.Notice = func(message string) { notices = append(notices, message) }
	tr.opts.TrustOnFirstUse = false
	e := tr.mustFail(testModel(), Untrusted)
	for _, want := range []string{"--trust-on-first-use", "https://huggingface.co/owner/name", filepath.Join(tr.opts.Dir, lockName), "--accept-files"} {
		if !strings.Contains(e.Advice, want) {
			t.Errorf("no %q in the advice:\n%s", want, e.Advice)
		}
	}
	if len(h.received()) != 0 {
		t.Error("the hub was asked nevertheless")
	}
	tr.opts.TrustOnFirstUse = true
	if r := tr.must(testModel(), content); !r.FirstUse {
		t.Errorf("%+v", r)
	}
	if len(notices) != 1 || !strings.Contains(notices[0], sha256Of(content)) || !strings.Contains(notices[0], lockName) {
		t.Errorf("%q", notices)
	}
	tr.opts.TrustOnFirstUse = false
	if err := os.Remove(tr.path(testModel())); err != nil {
		t.Fatal(err)
	}
	if r := tr.must(testModel(), content); r.FirstUse || len(notices) != 1 {
		t.Errorf("%+v %q", r, notices)
	}
}

// Nothing but the file of the catalogue gets its name, whatever the caller allows.
func TestPinnedFileCannotBeReplaced(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	tr.opts.TrustOnFirstUse = false // it is not needed
	model := pinnedModel(content)
	if r := tr.must(model, content); r.FirstUse {
		t.Errorf("%+v", r)
	}
	if path := h.received()[0].URL.Path; !strings.Contains(path, testCommit) {
		t.Errorf("%s is not the commit of the catalogue", path)
	}
	h.put(t, append([]byte("new"), content[3:]...))
	tr.opts.Update, tr.opts.TrustOnFirstUse, tr.opts.AcceptFiles = true, true, true
	tr.must(model, content) // the file that exists is right
	write(t, tr.path(model), "other")
	_, err := tr.pull(model)
	var e *Error
	if !errors.As(err, &e) || e.Kind != Changed || strings.Contains(e.Advice, "--trust") {
		t.Errorf("%v", err)
	}
	// A newer catalogue replaces an older record.
	other := append([]byte("new"), content[3:]...)
	tr.opts.Update = false
	if _, err := tr.pull(pinnedModel(other)); err == nil || !strings.Contains(advice(err), "--update") {
		t.Error(err)
	}
	tr.opts.Update = true
	tr.must(pinnedModel(other), other)
}

// What a hub sends differs from what it told.
func TestLyingHubs(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	changed := append([]byte("new"), content[3:]...)
	for name, setup := range map[string]func(h *hub){
		"changed": func(h *hub) { h.sum = sha256Of(content); h.put(t, changed) },
		"truncated": func(h *hub) {
			h.sum, h.size = sha256Of(content), "1000003"
			h.put(t, content[:testSize/2])
		},
		"cut off": func(h *hub) {
			h.get = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Length", "1000003")
				_, _ = (&cut{ResponseWriter: w, left: 1000}).Write(content)
				return true
			}
		},
		"larger than told": func(h *hub) {
			h.sum, h.size = sha256Of(content), "1000003"
			h.put(t, append(content[:testSize:testSize], content...))
		},
	} {
		for _, model := range []catalog.Model{testModel(), pinnedModel(content)} {
			h := newHub(t, content)
			setup(h)
			tr := newTrial(t, h.URL)
			_, err := tr.pull(model)
			t.Logf("%s: %v", name, err)
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := os.Lstat(tr.path(model)); err == nil {
				t.Errorf("%s: the file is there", name)
			}
			if _, err := os.Lstat(filepath.Join(tr.opts.Dir, lockName)); err == nil {
				t.Errorf("%s: its checksum was recorded", name)
			}
		}
	}
}

func TestFileOfUnknownSize(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	model := testModel()
	model.Files[0].SizeMB = 0
	h := newHub(t, content)
	newTrial(t, h.URL).must(model, content)
	h.size = "100000000001"
	newTrial(t, h.URL).mustFail(model, Broken)
}

func TestModelOfPackagesOnly(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	tr.opts.Source = FromHub
	model := pinnedModel(content)
	model.Revision = ""
	if e := tr.mustFail(model, NotFound); !strings.Contains(e.Advice, "--source=packages") || len(h.received()) != 0 {
		t.Error(e.Advice)
	}
}
