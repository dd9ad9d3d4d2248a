package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/internal/suggest"
)

// envPrefix is the prefix of the server's own variables.
const envPrefix = "MODELGATEWAY_"

// modelEnv has the Python gateway's variables for single models. They are applied
// after the directories and the models are known.
type modelEnv struct {
	qwenPath, qwenID         string
	whisperPath, whisperSize string
	piperPath, piperVoice    string
	hubertID                 string
}

// Variable is an environment variable that the server reads.
type Variable struct {
	// Name is the name of the variable.
	Name string
	// Meaning is one line for the documentation.
	Meaning string

	apply func(c *Config, m *modelEnv, value string) error
}

// Variables returns all variables, those of the Python gateway first.
func Variables() []Variable {
	return append(pythonVariables(), ownVariables()...)
}

func pythonVariables() []Variable {
	return []Variable{
		{"MAX_MEMORY_MB", "memory budget of all models together, in MiB", maxMemory},
		{"QWEN_MODEL_PATH", "GGUF file of the model qwen, or its directory", ofModel(func(m *modelEnv) *string { return &m.qwenPath })},
		{"QWEN_MODEL_ID", "hub name of the model qwen; the models directory is searched for a GGUF file of that name", ofModel(func(m *modelEnv) *string { return &m.qwenID })},
		{"WHISPER_MODEL_SIZE", "size of the model whisper (tiny, base, small, medium, large-v3 …)", ofModel(func(m *modelEnv) *string { return &m.whisperSize })},
		{"WHISPER_MODEL_PATH", "whisper.cpp file of the model whisper, or the directory of ggml-SIZE.bin", ofModel(func(m *modelEnv) *string { return &m.whisperPath })},
		{"PIPER_MODEL_PATH", "voice file (.onnx) of the model piper, or its directory", ofModel(func(m *modelEnv) *string { return &m.piperPath })},
		{"PIPER_VOICE", "voice of the model piper; piper/VOICE.onnx in the models directory", ofModel(func(m *modelEnv) *string { return &m.piperVoice })},
		{"HUBERT_MODEL_ID", "hub name of the model hubert; the directory of that name in the models directory", ofModel(func(m *modelEnv) *string { return &m.hubertID })},
		{apiKeyVariable, "key of the Gemini API; without it there is no fallback in the cloud", setAPIKey},
		{"MODEL_DEVICE", "auto, cpu, cuda or mps", text(func(c *Config) *string { return &c.Device })},
	}
}

func ownVariables() []Variable {
	return []Variable{
		{envPrefix + "CONFIG", "configuration file", func(*Config, *modelEnv, string) error { return nil }},
		{envPrefix + "ADDR", "server that the command line calls; the server ignores it", func(*Config, *modelEnv, string) error { return nil }},
		{envPrefix + "GRPC_LISTEN", "gRPC address", text(func(c *Config) *string { return &c.GRPCListen })},
		{envPrefix + "HTTP_LISTEN", "HTTP address", text(func(c *Config) *string { return &c.HTTPListen })},
		{envPrefix + "KEYS_FILE", "file of API keys; every caller needs a key then", text(func(c *Config) *string { return &c.Auth.KeysFile })},
		{envPrefix + "API_KEY", "key with which the command line calls a server; the server ignores it", func(*Config, *modelEnv, string) error { return nil }},
		{envPrefix + "TLS_CERT_FILE", "certificate of the server, in PEM form", text(func(c *Config) *string { return &c.TLS.CertFile })},
		{envPrefix + "TLS_KEY_FILE", "private key of the certificate", text(func(c *Config) *string { return &c.TLS.KeyFile })},
		{envPrefix + "TLS_CLIENT_CA_FILE", "authorities of the clients' certificates; every client needs one then", text(func(c *Config) *string { return &c.TLS.ClientCAFile })},
		{envPrefix + "TLS_CA", "authority of a server's certificate, for the command line; the server ignores it", func(*Config, *modelEnv, string) error { return nil }},
		{envPrefix + "ALLOW_UNAUTHENTICATED", "true allows addresses that other machines can reach, without authentication", boolean(func(c *Config) *bool { return &c.AllowUnauthenticated })},
		{envPrefix + "ALLOWED_HOSTS", "names under which HTTP requests are answered, separated by commas", list(func(c *Config) *[]string { return &c.AllowedHosts })},
		{envPrefix + "TRUSTED_PROXIES", "addresses and networks of trusted proxies, separated by commas", list(func(c *Config) *[]string { return &c.TrustedProxies })},
		{envPrefix + "ADVERTISE", "address at which proxies reach this server and no other", text(func(c *Config) *string { return &c.Advertise })},
		{envPrefix + "MODELS_DIR", "directory of relative model paths", text(func(c *Config) *string { return &c.ModelsDir })},
		{envPrefix + "STARTERS_ONLY", "true keeps the starters where downloaded models would replace them", boolean(func(c *Config) *bool { return &c.StartersOnly })},
		{envPrefix + "STATE_DIR", "directory of learned sizes and times", text(func(c *Config) *string { return &c.StateDir })},
		{envPrefix + "ENGINES_DIR", "directory that is searched for engine programs before PATH", text(func(c *Config) *string { return &c.EnginesDir })},
		{envPrefix + "MAX_MEMORY_MB", "the same as MAX_MEMORY_MB, and overrides it", maxMemory},
		{envPrefix + "CPU_THREADS", "inference threads that may run at once", integer(func(c *Config) *int { return &c.CPUThreads })},
		{envPrefix + "DEVICE", "the same as MODEL_DEVICE, and overrides it", text(func(c *Config) *string { return &c.Device })},
		{envPrefix + "DRAIN_DELAY", "how long the server goes on after SIGTERM while it is not ready, e.g. 5s", duration(func(c *Config) *time.Duration { return &c.DrainDelay })},
		{envPrefix + "DRAIN_TIMEOUT", "how long requests may continue after that, e.g. 30s", duration(func(c *Config) *time.Duration { return &c.DrainTimeout })},
		{envPrefix + "DEBUGGABLE", "true lets debuggers, and other programs of the server's user, read the server's memory", boolean(func(c *Config) *bool { return &c.Debuggable })},
		{envPrefix + "LOG_LEVEL", "debug, info, warn or error", text(func(c *Config) *string { return &c.Log.Level })},
		{envPrefix + "LOG_FORMAT", "json, text or auto", text(func(c *Config) *string { return &c.Log.Format })},
		{envPrefix + "MAX_REQUEST_MB", "size limit of a request message, in MiB", integer(func(c *Config) *int { return &c.Limits.MaxRequestMB })},
		{envPrefix + "CORS_ORIGINS", "origins of web pages that may call the server, separated by commas", list(func(c *Config) *[]string { return &c.CORS.AllowedOrigins })},
		{apiKeyFileVariable, "file with the key of the Gemini API", setAPIKeyFile},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTLP/gRPC address for traces", text(func(c *Config) *string { return &c.Telemetry.OTLPEndpoint })},
	}
}

func parseEnviron(environ []string) map[string]string {
	env := map[string]string{}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env
}

// applyEnv applies the variables that are set and not empty. Unknown variables with
// the server's prefix are only warnings, because container platforms add variables
// with such names.
func (c *Config) applyEnv(env map[string]string, models *modelEnv) error {
	var errs []error
	var known []string
	for _, v := range Variables() {
		known = append(known, v.Name)
		if value := strings.TrimSpace(env[v.Name]); value != "" {
			if err := v.apply(c, models, value); err != nil {
				errs = append(errs, fmt.Errorf("environment variable %s: %w", v.Name, err))
			}
		}
	}
	for name := range env {
		if strings.HasPrefix(name, envPrefix) && !slices.Contains(known, name) && !platformMade(name) {
			c.Warnings = append(c.Warnings, fmt.Sprintf("environment variable %s is unknown and ignored%s", name, suggest.DidYouMean(name, known)))
		}
	}
	slices.Sort(c.Warnings)
	return errors.Join(errs...)
}

// platformMade reports whether Kubernetes sets such a variable for a service with the
// server's name.
func platformMade(name string) bool {
	rest := strings.TrimPrefix(name, envPrefix)
	return strings.HasPrefix(rest, "SERVICE_") || strings.HasPrefix(rest, "PORT")
}

type apply = func(c *Config, m *modelEnv, value string) error

func maxMemory(c *Config, _ *modelEnv, value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number of MiB", value)
	}
	c.MaxMemoryMB = n
	return nil
}

func ofModel(field func(*modelEnv) *string) apply {
	return func(_ *Config, m *modelEnv, value string) error {
		*field(m) = value
		return nil
	}
}

func text(field func(*Config) *string) apply {
	return func(c *Config, _ *modelEnv, value string) error {
		*field(c) = value
		return nil
	}
}

func integer(field func(*Config) *int) apply {
	return func(c *Config, _ *modelEnv, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", value)
		}
		*field(c) = n
		return nil
	}
}

func boolean(field func(*Config) *bool) apply {
	return func(c *Config, _ *modelEnv, value string) error {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is not true or false", value)
		}
		*field(c) = b
		return nil
	}
}

func duration(field func(*Config) *time.Duration) apply {
	return func(c *Config, _ *modelEnv, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("%q is not a duration: write e.g. 30s or 5m", value)
		}
		*field(c) = d
		return nil
	}
}

func list(field func(*Config) *[]string) apply {
	return func(c *Config, _ *modelEnv, value string) error {
		*field(c) = nil
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				*field(c) = append(*field(c), item)
			}
		}
		return nil
	}
}
