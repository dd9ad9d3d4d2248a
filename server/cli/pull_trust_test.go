package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file that is not in the catalogue needs a flag once. Then it must stay the same.
func TestFilesOutsideTheCatalogueNeedTrust(t *testing.T) {
	t.Parallel()
	m := newMirror(t, 300_000, 0)
	dir := filepath.Join(t.TempDir(), "models")
	lock := filepath.Join(dir, "models.lock")
	pull := func(from *mirror, args ...string) result {
		t.Helper()
		return finish(t, command(t, append([]string{"pull", "--models-dir", dir, "--mirror", from.URL}, args...)...))
	}
	for _, name := range []string{outside, "https://huggingface.co/someone/Qwen3-GGUF/resolve/main/model.gguf", "hubert-large"} {
		pull(m, name).check(t, exitFailed, "no checksum of ", "--trust-on-first-use", lock)
	}
	if sent := m.sentBytes(); sent > 0 {
		t.Errorf("%d bytes were fetched without being asked to", sent)
	}
	pull(m, outside, "--trust-on-first-use").check(t, exitOK, "hub/someone/Qwen3-GGUF/model.gguf was trusted on first use", m.sum, lock)
	text, err := os.ReadFile(lock)
	if err != nil || !strings.Contains(string(text), m.sum) || !strings.Contains(string(text), strings.Repeat("c", 40)) {
		t.Errorf("models.lock: %s %v", text, err)
	}
	res := pull(m, outside)
	res.check(t, exitOK, "is already installed")
	if strings.Contains(res.err+res.out, "first use") {
		t.Errorf("the second pull is no first use: %s", res.err)
	}
	if err := os.Remove(outsidePath(dir)); err != nil {
		t.Fatal(err)
	}
	pull(m, outside).check(t, exitOK, m.sum) // the record is enough

	changed := newMirror(t, 300_001, 0)
	if err := os.Remove(outsidePath(dir)); err != nil {
		t.Fatal(err)
	}
	pull(changed, outside, "--trust-on-first-use").check(t, exitFailed, "has 300001 bytes on the hub, but 300000 in models.lock", "--update --trust-on-first-use")
	pull(changed, outside, "--update").check(t, exitFailed, "no checksum of ", "--update --trust-on-first-use")
	pull(changed, outside, "--update", "--trust-on-first-use", "--json").check(t, exitOK, `"trusted_on_first_use":true`, changed.sum)
}

func TestPullNamesWithSlashes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"someone/Qwen3-GGUF":                                        "names a repository, not a file",
		"https://example.org/model.gguf":                            "only files of huggingface.co can be pulled",
		"http://huggingface.co/a/b/resolve/main/c.gguf":             "only files of huggingface.co can be pulled",
		"https://huggingface.co/someone/Qwen3-GGUF":                 "is not the URL of a file",
		"someone/Qwen3-GGUF/../../../etc/passwd":                    "must be a relative path of plain names",
		"../someone/x/model.gguf":                                   "names no file on the hub",
		"someone/Qwen3-GGUF/models.lock":                            "must not end in .lock",
		"someone/Qwen3-GGUF@refs..x/model.gguf":                     "names no file on the hub",
		"https://huggingface.co/a/b/resolve/main/%2e%2e/%2e%2e/c.d": "must be a relative path of plain names",
	} {
		finish(t, command(t, "pull", name, "--models-dir", t.TempDir(), "--trust-on-first-use")).check(t, exitUsage, want)
	}
}

// --timeout limits the whole download; its default does not.
func TestPullKeepsItsTimeout(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "models")
	first := newMirror(t, modelMiB<<20, 100<<20) // blocks after 100 MiB
	begin := time.Now()
	res := finish(t, pullFrom(t, first, dir, "--timeout", "3s"))
	res.check(t, exitDeadline, "within 3s (--timeout)", "run the same command again to continue")
	if took := time.Since(begin); took < 3*time.Second {
		t.Errorf("it ended after %s", took)
	}
	if _, err := os.Lstat(outsidePath(dir)); err == nil {
		t.Error("an incomplete file has its final name")
	}
	second := newMirror(t, modelMiB<<20, 0)
	finish(t, pullFrom(t, second, dir)).check(t, exitOK, second.sum)
}
