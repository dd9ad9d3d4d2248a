package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/models"
	"github.com/lexilingo/modelgateway/server/internal/catalog"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

func catalogue(t *testing.T) *catalog.Catalog {
	t.Helper()
	list, err := catalog.Parse("catalog.yaml", models.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// The server finds each model at the path where "pull" stores it, with the
// variables that "pull" prints.
func TestServerFindsPulledModels(t *testing.T) {
	t.Parallel()
	for _, m := range catalogue(t).Models {
		dir := t.TempDir()
		for _, f := range m.Files {
			path := filepath.Join(dir, filepath.FromSlash(f.Local))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, path, "x")
		}
		src := config.Source{Environ: []string{"HOME=" + dir}, Flags: config.Overrides{ModelsDir: &dir}}
		if len(m.Configure.Env) == 0 {
			if len(m.Configure.Parameters) == 0 {
				t.Errorf("%s: nothing to set", m.Name)
			}
			continue
		}
		for name, value := range m.Configure.Env {
			src.Environ = append(src.Environ, name+"="+value)
		}
		cfg, err := config.Load(src)
		if err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		got, want := cfg.Models[m.Configure.Model], filepath.Join(dir, filepath.FromSlash(m.Configure.Path))
		if got.ResolvedPath != want || got.Engine != m.Engine {
			t.Errorf("%s: the server opens %s with %s, but the file is %s", m.Name, got.ResolvedPath, got.Engine, want)
		}
		if _, err := os.Stat(got.ResolvedPath); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}

const (
	outside  = "someone/Qwen3-GGUF/model.gguf" // not in the catalogue, so a test can choose the content
	modelMiB = 160
)

// outsidePath returns where the file that is outside the catalogue is stored.
func outsidePath(dir string) string {
	return filepath.Join(dir, "hub", "someone", "Qwen3-GGUF", "model.gguf")
}

// pullFrom returns a command that pulls the file that is outside the catalogue.
func pullFrom(t *testing.T, m *mirror, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := command(t, append([]string{"pull", outside, "--trust-on-first-use", "--models-dir", dir}, args...)...)
	cmd.Env = append(cmd.Env, "HF_ENDPOINT="+m.URL)
	return cmd
}

// resumedRun pulls the rest and returns the byte counts that the command prints.
func resumedRun(t *testing.T, dir string) (fetched, resumed int64) {
	t.Helper()
	second := newMirror(t, modelMiB<<20, 0)
	res := finish(t, pullFrom(t, second, dir, "--json"))
	res.check(t, exitOK)
	second.Close() // waits for its handlers, which count the bytes
	var last struct {
		Files []struct {
			Fetched int64 `json:"fetched_bytes"`
			Resumed int64 `json:"resumed_bytes"`
		} `json:"files"`
	}
	lines := strings.Split(strings.TrimSpace(res.out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(last.Files) != 1 {
		t.Fatalf("%v in %s", err, res.out)
	}
	fetched, resumed = last.Files[0].Fetched, last.Files[0].Resumed
	if fetched+resumed != second.size || second.sentBytes() != fetched {
		t.Errorf("fetched %d, resumed %d, sent %d of %d bytes", fetched, resumed, second.sentBytes(), second.size)
	}
	f, err := os.ReadFile(outsidePath(dir))
	if sum := sha256.Sum256(f); err != nil || hex.EncodeToString(sum[:]) != second.sum {
		t.Errorf("the file differs: %v", err)
	}
	return fetched, resumed
}

// recorded returns how many bytes of the partial file its .part.json lists.
func recorded(dir string) int64 {
	text, err := os.ReadFile(outsidePath(dir) + ".part.json")
	var state struct {
		Done [][2]int64 `json:"done"`
	}
	if err != nil || json.Unmarshal(text, &state) != nil {
		return 0
	}
	var sum int64
	for _, s := range state.Done {
		sum += s[1] - s[0]
	}
	return sum
}

func TestPullResumesAfterKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "models")
	first := newMirror(t, modelMiB<<20, 120<<20)
	cmd := pullFrom(t, first, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitBlocked(t, first)
	const least = 32 << 20
	for end := time.Now().Add(patience); recorded(dir) < least; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are recorded", recorded(dir))
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	kept := recorded(dir)
	fetched, resumed := resumedRun(t, dir)
	if resumed != kept || resumed < least {
		t.Errorf("%d bytes were recorded, but %d resumed", kept, resumed)
	}
	t.Logf("killed after %d MiB; kept %d MiB, fetched %d MiB again", first.limit>>20, resumed>>20, (fetched-(first.size-first.limit))>>20)
}

func awaitBlocked(t *testing.T, m *mirror) {
	t.Helper()
	select {
	case <-m.blocked:
	case <-time.After(patience):
		t.Fatal("the mirror did not reach its limit")
	}
}

func TestInterruptedPullSaysHowToResume(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "models")
	first := newMirror(t, modelMiB<<20, 100<<20)
	cmd := pullFrom(t, first, dir)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	awaitBlocked(t, first)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is checked below
	res := result{out: out.String(), err: errOut.String(), code: cmd.ProcessState.ExitCode()}
	res.check(t, exitInterrupted, "Interrupted.", "to resume it", "downloading hub/someone/Qwen3-GGUF/model.gguf 0%")
	if _, resumed := resumedRun(t, dir); resumed < 32<<20 {
		t.Errorf("%d bytes were resumed", resumed)
	}
}

func TestPullPrintsSettings(t *testing.T) {
	t.Parallel()
	m := newMirror(t, 300_000, 0)
	dir := filepath.Join(t.TempDir(), "my models")
	with := func(args ...string) result {
		t.Helper()
		cmd := command(t, append([]string{"pull", "--models-dir", dir, "--mirror", m.URL}, args...)...)
		return finish(t, cmd)
	}
	const hubert = "hubert-large-ls960-ft" // the catalogue has no checksum for it
	with(hubert, "--dry-run").check(t, exitOK, "would download", "https://huggingface.co/Xenova/hubert-large-ls960-ft/resolve/cccc", m.sum,
		"nobody has vouched for this file")
	if _, err := os.Stat(dir); err == nil {
		t.Error("a dry run created the directory")
	}
	with(hubert, outside, "--trust-on-first-use").check(t, exitOK, "export HUBERT_MODEL_ID=facebook/hubert-large-ls960-ft",
		fmt.Sprintf("modelgateway serve --models-dir '%s'", dir), "licence Apache-2.0", "Transformers.js",
		"see its page for the licence, https://huggingface.co/someone/Qwen3-GGUF", `write "path: hub/someone/Qwen3-GGUF/model.gguf"`)
	// In the default directory, the server finds it by itself.
	cmd := command(t, "pull", "--mirror", m.URL, hubert, "--trust-on-first-use")
	model := filepath.Join(cmd.Dir, ".local", "share", "modelgateway", "models", hubert, "model.onnx")
	finish(t, cmd).check(t, exitOK, model, "\"modelgateway serve\" uses hubert-large-ls960-ft from its next start")
	with(hubert).check(t, exitOK, "is already installed")
	with("--list").check(t, exitOK, "piper-en_US-norman-medium", "yes", "No checksum is known of hubert-large-ls960-ft, hubert-large-ls960-ft-quantized:")
	var list struct {
		Models []pullable `json:"models"`
	}
	if err := json.Unmarshal([]byte(with("--json").out), &list); err != nil || len(list.Models) != len(catalogue(t).Models) {
		t.Errorf("%d models, %v", len(list.Models), err)
	}
}

func TestPullFailures(t *testing.T) {
	t.Parallel()
	m := newMirror(t, 300_000, 0)
	dir := t.TempDir()
	with := func(args ...string) result {
		t.Helper()
		return finish(t, command(t, append([]string{"pull", "--models-dir", dir}, args...)...))
	}
	with("wisper-base").check(t, exitNotFound, "did you mean whisper-base?")
	with("whisper-base", "--mirror", "http://example.org").check(t, exitFailed, "http is allowed only for this machine")
	// The content of the mirror does not match the checksum in the catalogue.
	with("whisper-tiny", "--mirror", m.URL).check(t, exitFailed, "the hub has a different ggml-tiny.bin", "try another mirror")
	with("whisper-tiny", "--mirror", m.URL, "--update", "--trust-on-first-use").check(t, exitFailed, "the hub has a different ggml-tiny.bin")
	with("whisper-tiny", "--mirror", m.URL, "--json").check(t, exitFailed, `"exit_code":1`)
	with("--config", "/nowhere.yaml").check(t, exitUsage, "nowhere.yaml")
	if err := os.WriteFile(filepath.Join(dir, "models.lock"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	with("whisper-tiny", "--mirror", m.URL).check(t, exitFailed, "models.lock is damaged")
}

// What "pull" prints for models whose content a test cannot choose.
func TestPullPrintsVariables(t *testing.T) {
	t.Parallel()
	cfg := &config.Config{ModelsDir: "/models", Models: map[string]config.Model{
		"qwen":  {Engine: "llama", Path: "starter:chat.gguf"},
		"piper": {Engine: "piper", Path: "starter:voice.onnx"},
	}}
	for name, want := range map[string]string{
		"qwen3-4b-q8_0":       "export QWEN_MODEL_PATH=Qwen3-4B-Q8_0.gguf\n",
		"en_US-norman-medium": "export PIPER_VOICE=en_US-norman-medium\n",
		"silero-vad":          "vad_model: ggml-silero-v5.1.2.bin\n",
	} {
		m, err := catalogue(t).Find(name)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := writeUse(&out, []catalog.Model{m}, cfg, cfg); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: no %q in %s (%v)", name, want, out.String(), err)
		}
	}
}

// A variable changes the path of a configured model but not its memory_mb. If that
// is too small for the pulled file, "pull" prints a configuration instead.
func TestPullPrintsConfigurationForLargerModels(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][]string{
		"whisper/ggml-base.bin": {"  whisper:\n    engine: whisper\n    path: whisper/ggml-large-v3.bin\n    memory_mb: 4000\n"},
		"starter:whisper.bin":   {"export WHISPER_MODEL_SIZE=large-v3\n", "serve --models-dir '/it'\\''s here'"},
	} {
		m, err := catalogue(t).Find("whisper-large-v3")
		if err != nil {
			t.Fatal(err)
		}
		cfg := &config.Config{ModelsDir: "/it's here", Models: map[string]config.Model{"whisper": {Engine: "whisper", Path: path, MemoryMB: 500}}}
		var out strings.Builder
		if err := writeUse(&out, []catalog.Model{m}, cfg, cfg); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s: no %q in %s", path, text, out.String())
			}
		}
	}
}
