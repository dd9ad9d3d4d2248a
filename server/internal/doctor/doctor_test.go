package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/llama/gguffile/gguftest"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// check compares the level of a finding and looks for texts in it.
func check(t *testing.T, f Finding, level Level, wants ...string) {
	t.Helper()
	if f.Level != level {
		t.Errorf("level %s, want %s: %+v", f.Level, level, f)
	}
	for _, want := range wants {
		if !strings.Contains(f.Check+" "+f.Detail+" "+f.Remedy, want) {
			t.Errorf("no %q in %+v", want, f)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// load loads a configuration with its models directory in dir.
func load(t *testing.T, dir, text string) *config.Config {
	t.Helper()
	file := filepath.Join(dir, "config.yaml")
	write(t, file, text)
	cfg, err := config.Load(config.Source{
		File: file, Environ: []string{"HOME=" + dir}, Flags: config.Overrides{ModelsDir: &dir},
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestInvalidConfiguration(t *testing.T) {
	t.Parallel()
	check(t, InvalidConfiguration(errors.New("first\nsecond")), Fail, "configuration", "first; second", "docs/configuration.md")
}

func TestDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	findings := checkDirectories(&config.Config{StateDir: filepath.Join(dir, "new", "state"), ModelsDir: dir})
	check(t, findings[0], OK, "is writable")
	check(t, findings[1], OK, dir, "is readable")
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("the check leaves %v behind", left)
	}
	file := filepath.Join(dir, "file")
	write(t, file, "")
	findings = checkDirectories(&config.Config{StateDir: file, ModelsDir: filepath.Join(dir, "missing")})
	check(t, findings[0], Fail, "is not a directory", "--state-dir")
	check(t, findings[1], Warn, "does not exist", "--models-dir")
	check(t, checkDirectories(&config.Config{StateDir: dir, ModelsDir: file})[1], Fail, "--models-dir")
}

func TestMemory(t *testing.T) {
	t.Parallel()
	if _, err := availableBytes(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	check(t, checkMemory(load(t, dir, "max_memory_mb: 1")), OK, "1.0 MiB")
}

func TestAPIKeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	cfg := &config.Config{}
	check(t, checkAPIKey(cfg), Warn, "not set")
	cfg.Gemini.APIKey = "very-secret"
	f := checkAPIKey(cfg)
	check(t, f, OK, "set")
	if strings.Contains(f.Detail+f.Remedy, "very-secret") {
		t.Errorf("the key is in %+v", f)
	}
}

const twoModels = `
engines:
  fault: {command: [no-such-program]}
models:
  installed: {engine: fault, path: installed.bin, memory_mb: 10}
  missing: {engine: fault, path: missing.bin, memory_mb: 10}
tasks:
  chat: {primary: missing}
`

func TestMissingEngine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := load(t, dir, twoModels)
	names := modelsOf(cfg, "fault")
	check(t, missingEngine(cfg, "engine fault", "no-such-program", names), Warn, "no-such-program was not found", "installed, missing", "ENGINE_UNAVAILABLE")
	write(t, filepath.Join(dir, "installed.bin"), "x")
	check(t, missingEngine(cfg, "engine fault", "no-such-program", names), Fail, "--engines-dir")
}

func TestDevice(t *testing.T) {
	t.Parallel()
	engines := map[string]*enginev1.DescribeResponse{"a": {Devices: []string{"cpu", "cuda"}}, "b": {Devices: []string{"cpu"}}}
	check(t, checkDevice(&config.Config{Device: "auto"}, engines), OK, "a: cpu, cuda; b: cpu")
	check(t, checkDevice(&config.Config{Device: "cpu"}, engines), OK)
	check(t, checkDevice(&config.Config{Device: "cuda"}, engines), Fail, "not available to b", "MODEL_DEVICE=auto")
	check(t, checkDevice(&config.Config{Device: "auto"}, nil), Warn, "no engine started")
}

func TestModels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := load(t, dir, twoModels+"max_memory_mb: 100\n")
	write(t, filepath.Join(dir, "installed.bin"), "x")
	started := map[string]*enginev1.DescribeResponse{"fault": {}}
	findings := checkModels(t.Context(), cfg, started)
	check(t, findings[0], OK, "installed.bin: needs 10 MiB (declared)")
	check(t, findings[1], Fail, "missing.bin: does not exist", "Tasks that use the model: chat.")
	check(t, checkModels(t.Context(), cfg, nil)[1], Warn)

	m := cfg.Models["installed"]
	m.MemoryMB = 101
	check(t, checkModel(cfg, "installed", m, true), Fail, "needs 101 MiB (declared), more than the whole budget of 100 MiB", "MAX_MEMORY_MB")
}

// TestParametersOfOtherEngines checks that the doctor says what it cannot check.
func TestParametersOfOtherEngines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := load(t, dir, strings.Replace(twoModels, "path: installed.bin,", "path: installed.bin, parameters: {x: 1},", 1))
	write(t, filepath.Join(dir, "installed.bin"), "x")
	check(t, checkModels(t.Context(), cfg, nil)[0], OK, "checks the parameters when it loads the model")
}

func TestNoTasks(t *testing.T) {
	t.Parallel()
	cfg := load(t, t.TempDir(), "models:\n  mine: {engine: whisper, path: x.bin}\n")
	findings := checkConfiguration(cfg)
	if len(findings) != 1 {
		t.Fatalf("%v", findings)
	}
	check(t, findings[0], Warn, "0 tasks", "models.NAME.tasks")
	cfg = load(t, t.TempDir(), "models:\n  cloud: {engine: gemini, tasks: [chat]}\n")
	check(t, checkConfiguration(cfg)[1], Warn, "requests for the task chat fail", "GEMINI_API_KEY")
}

// TestChatTemplate checks the warning for a chat model whose file has no template.
func TestChatTemplate(t *testing.T) {
	t.Parallel()
	file := func(metadata ...gguftest.Value) string {
		metadata = append(metadata, gguftest.Value{Key: "general.architecture", Value: "llama"})
		return gguftest.Write(t, gguftest.File(metadata, nil, 0))
	}
	base := file()
	for _, c := range []struct {
		path, parameters string
		want             Level
	}{
		{base, "", Warn},
		{base, "chat_template: x", OK},
		{file(gguftest.Value{Key: "tokenizer.chat_template", Value: "x"}), "", OK},
	} {
		cfg := load(t, t.TempDir(), fmt.Sprintf("models:\n  tutor: {engine: llama, path: %s, memory_mb: 10, parameters: {%s}}\n", c.path, c.parameters))
		finding := checkModels(t.Context(), cfg, map[string]*enginev1.DescribeResponse{"llama": {}})[0]
		check(t, finding, c.want, c.path)
		if c.want == Warn {
			check(t, finding, Warn, "no chat template", "chat_template")
		}
	}
}

func TestHubertFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	model := func(path string, parameters map[string]any) error {
		return checkFiles(config.Model{ResolvedPath: filepath.Join(dir, path), Parameters: parameters}, []string{"engine-hubert"})
	}
	const vocabulary = `{"A": 1}`
	write(t, filepath.Join(dir, "flat/model.onnx"), "x")
	write(t, filepath.Join(dir, "flat/vocab.json"), vocabulary)
	write(t, filepath.Join(dir, "hub/onnx/small.onnx"), "x")
	write(t, filepath.Join(dir, "hub/vocab.json"), vocabulary)
	write(t, filepath.Join(dir, "single.onnx"), "x")
	write(t, filepath.Join(dir, "single.vocab.json"), vocabulary)
	write(t, filepath.Join(dir, "silent/model.onnx"), "x")
	write(t, filepath.Join(dir, "page/model.onnx"), "x")
	write(t, filepath.Join(dir, "page/vocab.json"), "<!DOCTYPE html>")
	for name, err := range map[string]error{
		"flat": model("flat", nil), "hub": model("hub", map[string]any{"file": "small.onnx"}), "single": model("single.onnx", nil),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, err := range map[string]error{
		"model.onnx does not exist": model("hub", nil), "vocab.json is missing": model("silent", nil),
		"does not map symbols": model("page", nil),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = used.Close() }()
	address := func(a string) Finding { return checkAddress(t.Context(), "HTTP address", "--http-listen", a) }
	check(t, address("127.0.0.1:0"), OK, "is free")
	check(t, address(used.Addr().String()), Fail, "in use", "--http-listen")
	check(t, address("unix:"+t.TempDir()+"/server.sock"), OK)
	check(t, address("unix:/proc/none/server.sock"), Fail, "--http-listen")
}

func TestFallbacks(t *testing.T) {
	t.Parallel()
	metrics := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if metrics == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(metrics))
	}))
	defer server.Close()
	cfg := &config.Config{HTTPListen: strings.TrimPrefix(server.URL, "http://")}
	fallbacks := func() Finding { return local{cfg: cfg}.checkFallbacks(context.Background()) }
	check(t, fallbacks(), Warn, "cannot read the server's metrics: 403 Forbidden")
	metrics = "# TYPE modelgateway_requests_total counter\nmodelgateway_requests_total 100\n# TYPE modelgateway_fallbacks_total counter\nmodelgateway_fallbacks_total{from=\"a\",to=\"b\",reason=\"deadline\"} 4\n"
	check(t, fallbacks(), OK, "4 of 100 requests")
	metrics += "modelgateway_fallbacks_total{from=\"a\",to=\"c\",reason=\"memory_busy\"} 7\n"
	check(t, fallbacks(), Warn, "11 of 100 requests", "7 from a to c because of MEMORY_BUSY", "modelgateway plan a")
	if got := fallbackRemedy("a", "DEADLINE"); !strings.Contains(got, "modelgateway load --pin a") {
		t.Error(got)
	}
	if got := fallbackRemedy("a", "ENGINE_CRASHED"); !strings.Contains(got, "modelgateway models") {
		t.Error(got)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	code, text := http.StatusOK, "ready\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(text))
	}))
	cfg := &config.Config{HTTPListen: strings.TrimPrefix(server.URL, "http://"), GRPCListen: "127.0.0.1:1"}
	check(t, local{cfg: cfg}.checkReady(t.Context(), "v1"), OK, "version v1 is running at 127.0.0.1:1")
	code, text = http.StatusServiceUnavailable, "no model can be loaded: why\n"
	check(t, local{cfg: cfg}.checkReady(t.Context(), "v1"), Fail, "not ready: no model can be loaded: why")
	server.Close()
	check(t, local{cfg: cfg}.checkReady(t.Context(), "v1"), Warn, "cannot ask")
}
