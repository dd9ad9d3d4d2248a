package catalog_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

func published(t *testing.T) *catalog.Catalog {
	t.Helper()
	text, err := os.ReadFile("../../../models/catalog.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Parse("catalog.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPublishedModelsAreComplete(t *testing.T) {
	t.Parallel()
	c := published(t)
	engines := map[string]int{}
	for _, m := range c.Models {
		engines[m.Engine]++
		if len(m.Configure.Env) == 0 && len(m.Configure.Parameters) == 0 {
			t.Errorf("%s: neither variables nor parameters configure it", m.Name)
		}
		if m.MemoryMB*1e6 < m.SizeBytes()/2 && m.Engine != "hubert" {
			t.Errorf("%s: %d MiB of memory for a file of %d bytes", m.Name, m.MemoryMB, m.SizeBytes())
		}
	}
	for engine, least := range map[string]int{"llama": 9, "whisper": 20, "piper": 8, "hubert": 2} {
		if engines[engine] < least {
			t.Errorf("%d models for %s, want at least %d", engines[engine], engine, least)
		}
	}
	for _, name := range []string{
		"qwen3-0.6b", "qwen3-1.7b", "Qwen3-4B", "whisper-tiny", "whisper-base.en", "whisper-large-v3-turbo-q5_0", "silero-vad",
		"en_US-lessac-medium", "vi_VN-vais1000-medium", "hubert-large-ls960-ft",
	} {
		if _, err := c.Find(name); err != nil {
			t.Error(err)
		}
	}
}

// Of all models but one, the project has written down commit and checksums.
func TestPublishedModelsArePinned(t *testing.T) {
	t.Parallel()
	for _, m := range published(t).Models {
		pinned := len(m.Revision) == 40 || len(m.Packages) > 0
		for _, f := range m.Files {
			pinned = pinned && len(f.SHA256) == 64
		}
		if known := m.Repo != "Xenova/hubert-large-ls960-ft"; pinned != known || m.TrustOnFirstUse == known {
			t.Errorf("%s: pinned %t, trust_on_first_use %t", m.Name, pinned, m.TrustOnFirstUse)
		}
	}
}

func TestUnknownNameGetsSuggestions(t *testing.T) {
	t.Parallel()
	c := published(t)
	for name, want := range map[string]string{
		"qwen3-1.7":    "qwen3-1.7b",
		"wisper-bse":   "whisper-base",
		"vais1000":     "piper-vi_VN-vais1000-medium",
		"hubert-larg":  "hubert-large",
		"whisper-tony": "whisper-tiny",
	} {
		_, err := c.Find(name)
		var missing *catalog.NotFoundError
		if !errors.As(err, &missing) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if _, err := c.Find("zzzzzzzzzzzzzzzzzzzzzzzzzz"); err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("a name without similar ones got %v", err)
	}
}

// good is a valid catalogue. Each hostile catalogue differs from it in one place.
const good = `models:
  - name: m
    task: chat
    engine: llama
    repo: owner/name
    revision: "0123456789abcdef0123456789abcdef01234567"
    files:
      - {path: a/b.gguf, local: b.gguf, size_mb: 1, sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
    license: {name: MIT, url: "https://example.org/l"}
    languages: [en]
    memory_mb: 10
    configure: {model: qwen, path: b.gguf, env: {QWEN_MODEL_PATH: b.gguf}}
`

// Parts of good.
const (
	commit = `revision: "0123456789abcdef0123456789abcdef01234567"`
	sum    = "sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

func TestInvalidCatalogues(t *testing.T) {
	t.Parallel()
	if _, err := catalog.Parse("good", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"path out of the models directory":   {"local: b.gguf", "local: ../b.gguf"},
		"path out of it through a directory": {"local: b.gguf", "local: a/../../b.gguf"},
		"absolute path":                      {"local: b.gguf", "local: /etc/cron.d/x"},
		"hidden file":                        {"local: b.gguf", "local: .bashrc"},
		"backslashes":                        {"local: b.gguf", `local: 'a\..\..\b'`},
		"empty path":                         {"local: b.gguf", `local: ""`},
		"the lock file":                      {"local: b.gguf", "local: models.lock"},
		"part of another download":           {"local: b.gguf", "local: b.gguf.part"},
		"a NUL byte":                         {"local: b.gguf", `local: "b\0.gguf"`},
		"long path":                          {"local: b.gguf", "local: " + strings.Repeat("a", 300)},
		"query in a path":                    {"path: a/b.gguf", `path: "a/b.gguf?x=1"`},
		"dots in a path":                     {"path: a/b.gguf", "path: ../../api/x"},
		"percent in a path":                  {"path: a/b.gguf", `path: "a/%2e%2e/b"`},
		"URL as repository":                  {"repo: owner/name", `repo: "https://evil.example/x"`},
		"host in the repository":             {"repo: owner/name", `repo: "@evil.example/x"`},
		"dots in the repository":             {"repo: owner/name", "repo: a../..b"},
		"path in the revision":               {commit, "revision: refs/../../x"},
		"dots as revision":                   {commit, `revision: ".."`},
		"a branch without saying so":         {commit, "revision: main"},
		"no revision":                        {commit, `revision: ""`},
		"no checksum without saying so":      {", " + sum, ""},
		"trust where it is not needed":       {"engine: llama", "engine: llama\n    trust_on_first_use: true"},
		"short checksum":                     {sum, "sha256: abc"},
		"path as checksum":                   {sum, "sha256: ../../etc/passwd"},
		"negative size":                      {"size_mb: 1", "size_mb: -1"},
		"size is not a number":               {"size_mb: 1", "size_mb: .nan"},
		"infinite size":                      {"size_mb: 1", "size_mb: .inf"},
		"unknown key":                        {"engine: llama", "engine: llama\n    exec: rm"},
		"unknown engine":                     {"engine: llama", "engine: bash"},
		"shell in a variable":                {"{QWEN_MODEL_PATH: b.gguf}", `{QWEN_MODEL_PATH: "$(rm -rf ~)"}`},
		"shell in the variable's name":       {"{QWEN_MODEL_PATH: b.gguf}", `{"A=1; rm": b.gguf}`},
		"escape sequence in a note":          {"memory_mb: 10", "memory_mb: 10\n    note: \"\\e[2J\""},
		"licence with another scheme":        {"https://example.org/l", "javascript:alert(1)"},
		"no licence":                         {`{name: MIT, url: "https://example.org/l"}`, "{}"},
		"YAML alias":                         {"languages: [en]", "languages: &a [en]\n    aliases: *a"},
		"two documents":                      {"models:", "---\na: 1\n---\nmodels:"},
		"no models":                          {good, "models: []"},
		"empty":                              {good, ""},
		"not a mapping":                      {good, "- 1"},
		"same name twice":                    {good, good + strings.TrimPrefix(good, "models:\n")},
		"two sources for one file": {good, good + strings.NewReplacer("models:\n", "", "name: m", "name: n",
			"repo: owner/name", "repo: other/name").Replace(good)},
	} {
		text := strings.Replace(good, edit[0], edit[1], 1)
		if text == good {
			t.Errorf("%s: the edit changes nothing", name)
		}
		if c, err := catalog.Parse("hostile", []byte(text)); err == nil {
			t.Errorf("%s: accepted as %+v", name, c.Models)
		}
	}
	if _, err := catalog.Parse("huge", []byte(strings.Repeat("#", 2<<20))); err == nil {
		t.Error("a catalogue of two MiB was accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("models: [{name: ../x}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := catalog.Parse("fuzz", text)
		if err != nil {
			return
		}
		for _, m := range c.Models {
			for _, file := range m.Files {
				if strings.Contains(file.Local, "..") && strings.Contains("/"+file.Local+"/", "/../") || strings.HasPrefix(file.Local, "/") {
					t.Errorf("%q leads out of the models directory", file.Local)
				}
			}
		}
	})
}
