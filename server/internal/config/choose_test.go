package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/configs"
	"github.com/lexilingo/modelgateway/models"
	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// downloaded returns an environment whose data folder has the files.
func downloaded(t *testing.T, files ...string) (environ []string, dir string) {
	t.Helper()
	t.Chdir(t.TempDir())
	home := t.TempDir()
	dir = filepath.Join(home, ".local", "share", "modelgateway", "models")
	for _, f := range files {
		write(t, filepath.Join(dir, f), starterLike(t, f))
	}
	return []string{"HOME=" + home}, dir
}

// starterLike returns the content of the starter with the ending of a file.
func starterLike(t *testing.T, file string) string {
	t.Helper()
	name := map[string]string{".bin": models.Whisper, ".gguf": models.Chat}[filepath.Ext(file)]
	paths, err := models.Extract(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(paths[name])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func loaded(t *testing.T, src Source) *Config {
	t.Helper()
	cfg, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestDownloadedModelsReplaceStarters(t *testing.T) {
	const base, tiny = "whisper/ggml-base.bin", "whisper/ggml-tiny.en.bin"
	environ, dir := downloaded(t, base, tiny)
	cfg := loaded(t, Source{Environ: environ})
	m := cfg.Models["whisper"]
	if m.ResolvedPath != filepath.Join(dir, base) || m.MemoryMB != 0 || !strings.Contains(m.Note, "ggml-base.bin was found") {
		t.Errorf("%s, %d MiB, %q", m.ResolvedPath, m.MemoryMB, m.Note)
	}
	if m := cfg.Models["piper"]; !m.isStarter() || m.MemoryMB == 0 {
		t.Errorf("a model whose files are missing is %+v", m)
	}
	if got := loaded(t, Source{Environ: append(environ, "WHISPER_MODEL_SIZE=tiny.en")}).Models["whisper"].ResolvedPath; got != filepath.Join(dir, tiny) {
		t.Errorf("WHISPER_MODEL_SIZE=tiny.en chose %s", got)
	}
	only := true
	if m := loaded(t, Source{Environ: environ, Flags: Overrides{StartersOnly: &only}}).Models["whisper"]; !m.isStarter() {
		t.Errorf("--starters-only chose %s", m.Path)
	}
	if m := loaded(t, Source{Environ: append(environ, "MODELGATEWAY_STARTERS_ONLY=true")}).Models["whisper"]; !m.isStarter() {
		t.Errorf("MODELGATEWAY_STARTERS_ONLY chose %s", m.Path)
	}
}

func TestModelsAboveTheBudgetAreNotPreferred(t *testing.T) {
	environ, dir := downloaded(t, "whisper/ggml-tiny.en.bin")
	large := filepath.Join(dir, "whisper", "ggml-base.bin")
	write(t, large, starterLike(t, large))
	if err := os.Truncate(large, 4<<30); err != nil {
		t.Fatal(err)
	}
	if got := loaded(t, Source{Environ: append(environ, "MAX_MEMORY_MB=2000")}).Models["whisper"].Path; got != "whisper/ggml-tiny.en.bin" {
		t.Errorf("%s serves", got)
	}
}

// A damaged file must not replace a starter that works, and must not be passed over
// in silence.
func TestDamagedFilesAreNotPreferred(t *testing.T) {
	environ, dir := downloaded(t)
	write(t, filepath.Join(dir, "whisper", "ggml-base.bin"), "damaged")
	cfg := loaded(t, Source{Environ: environ})
	if m := cfg.Models["whisper"]; !m.isStarter() || !strings.Contains(strings.Join(cfg.Warnings, "\n"), "ggml-base.bin is not used for whisper") {
		t.Errorf("%s serves, with the warnings %q", m.Path, cfg.Warnings)
	}
}

func TestModelsDirectoryOfTheUser(t *testing.T) {
	environ, dir := downloaded(t)
	if got := loaded(t, Source{Environ: environ}).ModelsDir; got != dir {
		t.Errorf("models_dir is %s", got)
	}
	data := t.TempDir()
	if got := loaded(t, Source{Environ: append(environ, "XDG_DATA_HOME="+data)}).ModelsDir; got != filepath.Join(data, "modelgateway", "models") {
		t.Errorf("models_dir is %s", got)
	}
	write(t, "models/x", "")
	if got := loaded(t, Source{Environ: environ}).ModelsDir; got != "models" {
		t.Errorf("models_dir is %s", got)
	}
}

// Preferred files are those that "pull" puts there for the same model.
func TestPreferredFilesAreInTheCatalogue(t *testing.T) {
	list, err := catalog.Parse("catalog.yaml", models.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, m := range list.Models {
		known[m.Configure.Path] = m.Configure.Model
	}
	cfg := &Config{}
	if _, err := decode("default", configs.Default, cfg); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Models)) {
		for _, path := range cfg.Models[name].Prefer {
			if known[path] != name {
				t.Errorf("%s prefers %s, which the catalogue has for %q", name, path, known[path])
			}
		}
	}
}
