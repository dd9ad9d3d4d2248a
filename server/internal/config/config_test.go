package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// load loads a configuration in a new directory, for a machine with 64 GiB.
func load(t *testing.T, yaml string, environ []string, flags Overrides) (*Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	src := Source{Environ: environ, Flags: flags, Machine: func() Machine {
		return Machine{MemoryBytes: 64 << 30, Threads: 4}
	}}
	if yaml != "" {
		src.File = "gateway.yaml"
		write(t, src.File, yaml)
	}
	return Load(src)
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDefaultsAreThoseOfThePythonGateway(t *testing.T) {
	cfg, err := load(t, "", nil, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.MaxMemoryMB != 8000 || cfg.GRPCListen != "127.0.0.1:50051" || cfg.HTTPListen != "127.0.0.1:8001" {
		t.Errorf("budget %d, gRPC %s, HTTP %s", cfg.MaxMemoryMB, cfg.GRPCListen, cfg.HTTPListen)
	}
	rows := map[string]struct {
		mb       int64
		priority Priority
		idle     time.Duration
	}{
		"qwen":    {256, "critical", 10 * time.Minute}, // the starter, not the 3500 MB of Qwen3-1.7B
		"whisper": {400, "normal", 5 * time.Minute},    // the starter, not the 500 MB of base
		"piper":   {192, "normal", 5 * time.Minute},    // the starter; a medium voice takes more than the Python gateway's 100 MB
		"hubert":  {512, "low", 3 * time.Minute},       // the starter, not the 2000 MB of HuBERT-large
		"gemini":  {10, "high", 30 * time.Minute},
	}
	for name, want := range rows {
		m := cfg.Models[name]
		if m.MemoryMB != want.mb || m.Priority != want.priority || *m.IdleTimeout != want.idle {
			t.Errorf("%s: %d MB, %s, %s", name, m.MemoryMB, m.Priority, *m.IdleTimeout)
		}
	}
	if want := []string{"qwen", "whisper", "piper", "hubert", "gemini"}; !slices.Equal(cfg.ModelOrder, want) {
		t.Errorf("order %v", cfg.ModelOrder)
	}
	routes := map[string]string{
		"chat": "qwen", "grammar": "qwen", "respond": "qwen", "transcribe": "whisper",
		"synthesize": "piper", "pronunciation": "hubert", "explain_vietnamese": "gemini",
	}
	for task, model := range routes {
		if got := cfg.Tasks[task].Primary; got != model {
			t.Errorf("%s goes to %q, want %q", task, got, model)
		}
	}
	if len(cfg.Tasks) != len(routes) {
		t.Errorf("tasks %v", slices.Sorted(maps.Keys(cfg.Tasks)))
	}
	if cfg.Models["gemini"].Absent == "" {
		t.Error("gemini is served although there is no key")
	}
}

func TestFlagsOverrideVariablesOverrideTheFile(t *testing.T) {
	file := "max_memory_mb: 1000\ngrpc_listen: 127.0.0.1:1\nhttp_listen: 127.0.0.1:2\ndevice: cuda\n"
	listen := "127.0.0.1:3"
	cfg, err := load(t, file,
		[]string{"MAX_MEMORY_MB=2000", "MODELGATEWAY_GRPC_LISTEN=127.0.0.1:9", "GEMINI_API_KEY=k"},
		Overrides{GRPCListen: &listen})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.MaxMemoryMB != 2000 || cfg.GRPCListen != "127.0.0.1:3" || cfg.HTTPListen != "127.0.0.1:2" || cfg.Device != "cuda" {
		t.Errorf("%d %s %s %s", cfg.MaxMemoryMB, cfg.GRPCListen, cfg.HTTPListen, cfg.Device)
	}
	if cfg.Models["gemini"].Absent != "" {
		t.Error("gemini is absent although there is a key")
	}
}

// A file that sets one key of the engine gemini need not repeat the others.
func TestBuiltInEngineStaysInTheCloud(t *testing.T) {
	cfg, err := load(t, "engines: {gemini: {max_concurrency: 2}}\n", []string{"GEMINI_API_KEY=k"}, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	m := cfg.Models["gemini"]
	if !cfg.Engines["gemini"].Cloud || !cfg.InProcess("gemini") || m.MaxConcurrency != 2 || m.Threads != 0 || m.Absent != "" {
		t.Errorf("%+v, %+v", cfg.Engines["gemini"], m)
	}
	if cfg.InProcess("llama") {
		t.Error("llama runs in the server's process")
	}
	cfg, err = load(t, "engines: {gemini: {command: [my-gemini], cloud: true, allow: [network]}}\n", []string{"GEMINI_API_KEY=k"}, Overrides{})
	if err != nil || cfg.InProcess("gemini") {
		t.Errorf("a program for the engine gemini is ignored, %v", err)
	}
	// Such an engine has its own account, so it needs no GEMINI_API_KEY.
	cfg, err = load(t, "engines: {gemini: {command: [my-gemini], cloud: true, allow: [network]}}\n", nil, Overrides{})
	if err != nil || cfg.Models["gemini"].Absent != "" {
		t.Errorf("a program of the user's own is absent: %q, %v", cfg.Models["gemini"].Absent, err)
	}
}

func TestErrorsDoNotContainTheKey(t *testing.T) {
	_, err := load(t, "", []string{"GEMINI_API_KEY=very secret"}, Overrides{})
	if err == nil || strings.Contains(err.Error(), "very") {
		t.Errorf("%v", err)
	}
}

func TestErrorsNameThePlaceAndTheRemedy(t *testing.T) {
	cases := map[string]struct {
		yaml string
		env  []string
		want []string
	}{
		"misspelt key":       {"max_memry_mb: 1\n", nil, []string{`gateway.yaml:1:1: unknown key "max_memry_mb"`, `"max_memory_mb"`}},
		"misspelt deep key":  {"models:\n  a:\n    engine: llama\n    path: x\n    priorty: low\n", nil, []string{"gateway.yaml:5:5", `"priority"`}},
		"two at once":        {"lgo: {}\nlimits:\n  max_header: 1\n", nil, []string{"gateway.yaml:1:1", "gateway.yaml:3:3"}},
		"wrong type":         {"max_memory_mb: lots\n", nil, []string{"gateway.yaml", "[1:16]"}},
		"broken YAML":        {"a: [1\n", nil, []string{"gateway.yaml"}},
		"unknown engine":     {"models: {a: {engine: lama, path: x}}\n", nil, []string{"models.a", `"llama"`}},
		"no path":            {"models: {a: {engine: llama}}\n", nil, []string{"models.a has no path"}},
		"unknown model":      {"tasks: {chat: {primary: qwne}}\n", nil, []string{"tasks.chat", `"qwen"`}},
		"task without model": {"tasks: {chat: {}}\n", nil, []string{"tasks.chat has no model"}},
		"unknown task":       {"tasks: {chatt: {primary: qwen}}\n", nil, []string{"tasks.chatt", `"chat"`, "tasks.chatt.method"}},
		"unknown task of a model": {
			"models: {a: {engine: llama, path: x, tasks: [chatt]}}\n", nil, []string{"models.a.tasks", `"chatt"`, `did you mean "chat"`},
		},
		"unknown model of an alias": {"tasks: {stt: {primary: whispr}}\n", nil, []string{"tasks.stt:", `"whisper"`}},
		"a task under two names": {
			"tasks: {transcribe: {primary: whisper}, stt: {primary: gemini}}\n", nil, []string{"tasks.stt and tasks.transcribe", "keep one"},
		},
		"parameters of a model": {
			"models:\n  a: {engine: llama, path: x, parameters: {n_ctxx: 1}}\n  b: {engine: whisper, path: x, parameters: {beam_size: 99}}\n" +
				"  c: {engine: piper, path: x, parameters: {volume: loud}}\n  d: {engine: hubert, path: x, parameters: {flie: y}}\n" +
				"  e: {engine: gemini, parameters: {modle: x}}\n", nil,
			[]string{
				`models.a.parameters: unknown parameter "n_ctxx"; did you mean "n_ctx"?`, `models.b.parameters: parameter "beam_size" must be from 0 to 16, not 99`,
				`models.c.parameters: parameter "volume" must be a number`, `models.d.parameters: unknown parameter "flie"`, `models.e.parameters: unknown parameter "modle"`,
			},
		},
		"priority":         {"models: {a: {engine: llama, path: x, priority: hihg}}\n", nil, []string{`"high"`}},
		"open address":     {"grpc_listen: 0.0.0.0:50051\n", nil, []string{"grpc_listen", "allow_unauthenticated"}},
		"abstract socket":  {"grpc_listen: unix:@mg\n", nil, []string{"grpc_listen", "unix:/path"}},
		"all addresses":    {"http_listen: :8001\n", nil, []string{"http_listen", "allow_unauthenticated"}},
		"bad address":      {"http_listen: here\n", nil, []string{"http_listen", "host:port"}},
		"environment":      {"", []string{"MAX_MEMORY_MB=8G"}, []string{"MAX_MEMORY_MB", `"8G"`}},
		"device":           {"", []string{"MODEL_DEVICE=gpu"}, []string{"device", `"gpu"`, "cuda"}},
		"no memory":        {"max_memory_mb: 0\n", nil, []string{"max_memory_mb"}},
		"too many threads": {"cpu_threads: 4294967297\n", nil, []string{"cpu_threads", "65536"}},
		"a model's bounds": {
			"models: {a: {engine: llama, path: x, memory_mb: 8796093022208, threads: 4294967297, max_concurrency: -1, queue: 1048577}}\n", nil,
			[]string{"models.a.memory_mb", "models.a.threads", "models.a.max_concurrency", "models.a.queue"},
		},
		"limits of the server": {
			"limits: {max_request_mb: 0, max_concurrent_streams: 0, max_resets: 0, max_connections: 1, max_watchers: 0, max_header_kb: 3}\n", nil,
			[]string{
				"limits.max_request_mb is 0: it must be 1 to 1024", "limits.max_concurrent_streams", "limits.max_resets",
				"limits.max_connections is 1: it must be 2 to 1048576", "limits.max_watchers", "limits.max_header_kb",
			},
		},
		"negative times": {
			"drain_timeout: -1s\nlimits: {max_connection_age: -1s, slow_reader_timeout: -1s}\n" +
				"models: {a: {engine: llama, path: x, idle_timeout: -1s, progress_timeout: -1s}}\n", nil,
			[]string{
				"drain_timeout is -1s: it must not be negative", "limits.max_connection_age", "limits.slow_reader_timeout",
				"models.a.idle_timeout", "models.a.progress_timeout",
			},
		},
		"an engine's bounds": {"engines: {e: {command: [e], max_concurrency: 4294967297}}\n", nil, []string{"engines.e.max_concurrency"}},
		"breaker":            {"breaker: {failures: -1, open: 0s}\n", nil, []string{"breaker.failures", "breaker.open"}},
		"trace address":      {"telemetry: {otlp_endpoint: \"127.0.0.1:4317\"}\n", nil, []string{"telemetry.otlp_endpoint", "http://127.0.0.1:4317"}},
		"a key with a space": {"", []string{"GEMINI_API_KEY=two words"}, []string{"GEMINI_API_KEY"}},
		"the cloud's account": {
			"gemini: {base_url: \"http://api.example.org\", timeout: 0s, retries: 11}\n", nil,
			[]string{"gemini.base_url", "https://", "gemini.timeout", "gemini.retries"},
		},
		"engine without one": {"engines: {e: {max_concurrency: 1}}\n", nil, []string{"engines.e has no command"}},
		"trace scheme":       {"", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=ftp://collector"}, []string{"telemetry.otlp_endpoint"}},
		"trace host":         {"telemetry: {otlp_endpoint: \"http://:4317\"}\n", nil, []string{"telemetry.otlp_endpoint"}},
		"alias":              {"models:\n  a: &a {engine: llama, path: x}\n  b: *a\n", nil, []string{"gateway.yaml:3:6", "*a", "aliases"}},
		"merge":              {"models:\n  a: &a {engine: llama, path: x}\n  b: {<<: *a, path: y}\n", nil, []string{"gateway.yaml:3", "aliases"}},
		"starter":            {"models: {a: {engine: llama, path: \"starter:chatt.gguf\"}}\n", nil, []string{"models.a.path", "chat.gguf"}},
		"host with scheme":   {"allowed_hosts: [https://ai.example.org]\n", nil, []string{"allowed_hosts", "without scheme"}},
		"host with port":     {"allowed_hosts: [\"ai.example.org:443\"]\n", nil, []string{"allowed_hosts"}},
		"host pattern":       {"allowed_hosts: [\"ai.*.org\"]\n", nil, []string{"allowed_hosts"}},
		"proxy name":         {"trusted_proxies: [proxy.example.org]\n", nil, []string{"trusted_proxies", "proxy.example.org", "10.0.0.0/8"}},
		"every address":      {"trusted_proxies: [0.0.0.0/0]\n", nil, []string{"trusted_proxies", "every address"}},
		"part of a network":  {"", []string{"MODELGATEWAY_TRUSTED_PROXIES=10.0.0.5/8"}, []string{"trusted_proxies", "10.0.0.0/8", "10.0.0.5"}},
		"calls":              {"limits: {max_calls: 0}\n", nil, []string{"limits.max_calls"}},
		"limits of users": {
			"auth: {unix_users: [{uid: 7, name: app, roles: [infer], weight: 101, limits: {tokens_per_minute: -1, tokens: 1}}]}\n", nil,
			[]string{"auth.unix_users[0].limits: tokens_per_minute is -1", "there is no limit \"tokens\"", "auth.unix_users[0].weight is 101"},
		},
		"a caller's limits": {
			"limits: {caller: {requests_per_second: -1, request_burst: 1.5, tokens_per_minute: 2000000000, audio_in_seconds_per_minute: .nan}}\n", nil,
			[]string{"limits.caller: requests_per_second is -1", "request_burst is 1.5: it must be 0, or a whole number", "tokens_per_minute", "audio_in_seconds_per_minute"},
		},
		"origin": {"cors: {allowed_origins: [app.example.org]}\n", nil, []string{"cors.allowed_origins"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.yaml, c.env, Overrides{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestOpenAddressCanBeAllowed(t *testing.T) {
	yes := true
	for name, src := range map[string]struct {
		yaml  string
		flags Overrides
	}{
		"file":   {"grpc_listen: 0.0.0.0:50051\nallow_unauthenticated: true\n", Overrides{}},
		"flag":   {"grpc_listen: 0.0.0.0:50051\n", Overrides{AllowUnauthenticated: &yes}},
		"unix":   {"grpc_listen: unix:/run/x.sock\n", Overrides{}},
		"ipv6":   {"grpc_listen: \"[::1]:50051\"\n", Overrides{}},
		"loop 2": {"grpc_listen: localhost:0\n", Overrides{}},
	} {
		if _, err := load(t, src.yaml, nil, src.flags); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenAddressesAreWarnedOf(t *testing.T) {
	cfg, err := load(t, "grpc_listen: 0.0.0.0:50051\nhttp_listen: \":8001\"\nallow_unauthenticated: true\n", nil, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"grpc_listen", "http_listen"} {
		if !slices.ContainsFunc(cfg.Warnings, func(w string) bool {
			return strings.HasPrefix(w, key) && strings.Contains(w, "does not authenticate callers")
		}) {
			t.Errorf("no warning of %s in %q", key, cfg.Warnings)
		}
	}
	if cfg, err = load(t, "allow_unauthenticated: true\n", nil, Overrides{}); err != nil || len(cfg.Warnings) > 0 {
		t.Errorf("loopback addresses: %v, %v", cfg.Warnings, err)
	}
}

func TestAllowedHosts(t *testing.T) {
	cfg, err := load(t, "allowed_hosts: [file.example]\n", []string{"MODELGATEWAY_ALLOWED_HOSTS=ai.example.org, *.example.org,gateway,*"}, Overrides{})
	want := []string{"ai.example.org", "*.example.org", "gateway", "*"}
	if err != nil || !slices.Equal(cfg.AllowedHosts, want) {
		t.Errorf("the hosts are %q, %v", cfg.AllowedHosts, err)
	}
}

func TestModelsOfAFileReplaceTheBuiltInOnes(t *testing.T) {
	cfg, err := load(t, `
models:
  big: {engine: llama, path: /m/big.gguf, tasks: [chat, translate]}
  small: {engine: llama, path: /m/small.gguf, tasks: [chat]}
engines:
  mine: {command: [python3, engine.py]}
tasks:
  translate: {primary: small, method: translate}
`, nil, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(cfg.ModelOrder, []string{"big", "small"}) || len(cfg.Models) != 2 {
		t.Errorf("models %v", cfg.ModelOrder)
	}
	if got := cfg.Tasks["chat"].Candidates(); !slices.Equal(got, []string{"big", "small"}) {
		t.Errorf("chat goes to %v", got)
	}
	if got := cfg.Tasks["translate"].Candidates(); !slices.Equal(got, []string{"small", "big"}) {
		t.Errorf("translate goes to %v", got)
	}
	if _, ok := cfg.Tasks["transcribe"]; ok {
		t.Error("transcribe is routed although no model is left for it")
	}
	if _, ok := cfg.Engines["llama"]; !ok {
		t.Error("the built-in engines are gone")
	}
	if m := cfg.Models["big"]; m.MaxConcurrency != 4 || m.Queue != 256 || *m.IdleTimeout != 5*time.Minute || m.Threads != 4 {
		t.Errorf("defaults of a model: %+v", m)
	}
	if got := cfg.ModelTasks("small"); !slices.Equal(got, []string{"chat", "translate"}) {
		t.Errorf("tasks of small: %v", got)
	}
}

// Configuration files may name tasks as the Python gateway did.
func TestAliasesOfTasksAreAccepted(t *testing.T) {
	cfg, err := load(t, `
models:
  a: {engine: llama, path: /m/a, tasks: [response, explain_vi]}
  b: {engine: whisper, path: /m/b, tasks: [stt]}
tasks:
  stt: {primary: a}
  transcribe: {primary: a, fallbacks: []}
  tts: {primary: b}
  vietnamese: {primary: b}
`, nil, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"respond": {"a"}, "explain_vietnamese": {"b", "a"}, "transcribe": {"a", "b"}, "synthesize": {"b"},
	}
	for name, models := range want {
		if got := cfg.Tasks[name].Candidates(); !slices.Equal(got, models) {
			t.Errorf("%s goes to %v, want %v", name, got, models)
		}
	}
	if len(cfg.Tasks) != len(want) {
		t.Errorf("tasks %v", slices.Sorted(maps.Keys(cfg.Tasks)))
	}
	if got := cfg.ModelTasks("b"); !slices.Equal(got, []string{"explain_vietnamese", "synthesize", "transcribe"}) {
		t.Errorf("tasks of b: %v", got)
	}
}

func TestBudgetIsLoweredToTheMachinesMemory(t *testing.T) {
	cfg, err := Load(Source{Machine: func() Machine { return Machine{MemoryBytes: 2 << 30, Threads: 1} }})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.MaxMemoryMB != 2048 || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], "2048") {
		t.Errorf("budget %d, warnings %q", cfg.MaxMemoryMB, cfg.Warnings)
	}
}

func TestBudgetIsLimitedIfTheMachinesMemoryIsUnknown(t *testing.T) {
	huge := int64(1) << 44 // its bytes do not fit 63 bits
	_, err := Load(Source{Flags: Overrides{MaxMemoryMB: &huge}, Machine: func() Machine { return Machine{Threads: 1} }})
	if err == nil || !strings.Contains(err.Error(), "max_memory_mb") {
		t.Errorf("a budget of 2^44 MiB: %v", err)
	}
}

func TestMemoryLimitIsTheSmallestOfAll(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "proc/meminfo"), "MemTotal:       8388608 kB\nMemFree: 1 kB\n")
	if got := memoryLimit(root); got != 8<<30 {
		t.Errorf("without cgroups %d", got)
	}
	write(t, filepath.Join(root, "proc/self/cgroup"), "0::/a/b\n")
	write(t, filepath.Join(root, "sys/fs/cgroup/a/b/memory.max"), "max\n")
	write(t, filepath.Join(root, "sys/fs/cgroup/a/memory.max"), "1073741824\n")
	if got := memoryLimit(root); got != 1<<30 {
		t.Errorf("with a parent's limit %d", got)
	}
	write(t, filepath.Join(root, "proc/self/cgroup"), "5:memory:/x\n2:cpu:/y\n")
	write(t, filepath.Join(root, "sys/fs/cgroup/memory/x/memory.limit_in_bytes"), "536870912\n")
	if got := memoryLimit(root); got != 512<<20 {
		t.Errorf("with cgroups of version 1 %d", got)
	}
}

func TestUnknownVariablesWarn(t *testing.T) {
	cfg, err := load(t, "", []string{"MODELGATEWAY_GRPC_LISTN=x", "MODELGATEWAY_SERVICE_HOST=10.0.0.1", "MODELGATEWAY_PORT=tcp://x"}, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], "MODELGATEWAY_GRPC_LISTEN") {
		t.Errorf("warnings %q", cfg.Warnings)
	}
}

func TestDialAddress(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"0.0.0.0:1": "127.0.0.1:1", "[::]:1": "127.0.0.1:1", ":1": "127.0.0.1:1",
		"10.0.0.1:1": "10.0.0.1:1", "localhost:1": "localhost:1", "unix:/run/x.sock": "unix:/run/x.sock",
	} {
		if got := DialAddress(listen); got != want {
			t.Errorf("%s is dialled at %s, want %s", listen, got, want)
		}
	}
}

// TestStartersBringTheirParameters checks that what applies to a starter follows its
// path, and that the configuration has the last word.
func TestStartersBringTheirParameters(t *testing.T) {
	cfg, err := load(t, `
models:
  plain: {engine: whisper, path: "starter:whisper.bin"}
  own: {engine: whisper, path: "starter:whisper.bin", parameters: {max_disagreement: 1, beam_size: 2}}
  other: {engine: whisper, path: other.bin}
`, nil, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	plain, own, other := cfg.Models["plain"], cfg.Models["own"], cfg.Models["other"]
	if plain.Warning == "" || own.Warning != plain.Warning || other.Warning != "" {
		t.Errorf("warnings %q, %q, %q", plain.Warning, own.Warning, other.Warning)
	}
	if len(plain.Parameters) == 0 || len(other.Parameters) > 0 {
		t.Errorf("parameters %v, %v", plain.Parameters, other.Parameters)
	}
	if fmt.Sprint(own.Parameters) != "map[beam_size:2 max_disagreement:1]" {
		t.Errorf("parameters %v", own.Parameters)
	}
	cfg, err = load(t, "", []string{"WHISPER_MODEL_SIZE=base"}, Overrides{})
	if err != nil || cfg.Models["whisper"].Warning != "" || cfg.Models["qwen"].Warning == "" {
		t.Errorf("%v, %q", err, cfg.Models["whisper"].Warning)
	}
}
