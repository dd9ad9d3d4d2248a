// Package config reads the gateway's configuration: the built-in defaults, a
// YAML file above them, the environment above that, and flags above all.
package config

import (
	"maps"
	"net"
	"slices"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Config is the whole configuration. Load returns it complete and checked.
type Config struct {
	// GRPCListen is the gRPC address, "host:port" or "unix:/path".
	GRPCListen string `yaml:"grpc_listen"`
	// HTTPListen is the address of everything over HTTP.
	HTTPListen string `yaml:"http_listen"`
	// AllowUnauthenticated permits addresses other than loopback. The gateway
	// does not authenticate callers: something in front must.
	AllowUnauthenticated bool `yaml:"allow_unauthenticated"`
	// ModelsDir is where relative model paths start.
	ModelsDir string `yaml:"models_dir"`
	// StateDir keeps what was learned, and the starter models.
	StateDir string `yaml:"state_dir"`
	// EnginesDir is where engine programs are looked for first.
	EnginesDir string `yaml:"engines_dir"`
	// MaxMemoryMB is the budget of all models together, in MiB.
	MaxMemoryMB int64 `yaml:"max_memory_mb"`
	// CPUThreads is how many inference threads may work at once.
	CPUThreads int `yaml:"cpu_threads"`
	// Device is "auto", "cpu", "cuda" or "mps".
	Device string `yaml:"device"`
	// DrainTimeout bounds how long requests may go on after SIGTERM.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
	// Log says what is logged and how.
	Log Log `yaml:"log"`
	// Limits protect the server from its callers.
	Limits Limits `yaml:"limits"`
	// Breaker keeps requests away from models that fail again and again.
	Breaker Breaker `yaml:"breaker"`
	// CORS says which web pages may call.
	CORS CORS `yaml:"cors"`
	// Telemetry says where traces go.
	Telemetry Telemetry `yaml:"telemetry"`
	// Gemini is the cloud model's account.
	Gemini Gemini `yaml:"gemini"`
	// Engines are the programs that run models, by name.
	Engines map[string]Engine `yaml:"engines"`
	// Models are what is served, by name. Order has them in sequence.
	Models map[string]Model `yaml:"models"`
	// Tasks say which model serves which task type.
	Tasks map[string]Task `yaml:"tasks"`

	// ModelOrder holds the names of Models as the file has them.
	ModelOrder []string `yaml:"-"`
	// Warnings are for the log: what was changed or ignored, and why.
	Warnings []string `yaml:"-"`
}

// Log says what is logged and how.
type Log struct {
	// Level is "debug", "info", "warn" or "error".
	Level string `yaml:"level"`
	// Format is "json", "text", or "auto": text on a terminal.
	Format string `yaml:"format"`
}

// Limits protect the server from its callers.
type Limits struct {
	// MaxRequestMB is the largest request message, in MiB.
	MaxRequestMB int `yaml:"max_request_mb"`
	// MaxConcurrentStreams is the most calls at once on one connection.
	MaxConcurrentStreams uint32 `yaml:"max_concurrent_streams"`
	// MaxConnectionAge is how long a gRPC connection lives before its client is
	// asked to make a new one; calls under way go on. 0 is for ever.
	MaxConnectionAge time.Duration `yaml:"max_connection_age"`
	// MaxHeaderKB is the most header bytes of a request, in KiB.
	MaxHeaderKB int `yaml:"max_header_kb"`
	// SlowReaderTimeout is how long a caller may take to read one message of a
	// stream before the call ends. 0 is for ever.
	SlowReaderTimeout time.Duration `yaml:"slow_reader_timeout"`
}

// Breaker keeps requests away from models that fail again and again.
type Breaker struct {
	// Failures in a row open a model's breaker; 0: never.
	Failures int `yaml:"failures"`
	// Open is how long requests pass the model over then, until one may try it.
	Open time.Duration `yaml:"open"`
}

// CORS says which web pages may call.
type CORS struct {
	// AllowedOrigins are origins such as "https://app.example.org"; "*" is any.
	// None: pages of other origins cannot change anything nor read an answer.
	// Only browsers tell an origin; other programs are not concerned.
	AllowedOrigins []string `yaml:"allowed_origins"`
}

// Telemetry says where traces go.
type Telemetry struct {
	// OTLPEndpoint is an OTLP/gRPC address, e.g. "http://127.0.0.1:4317". Empty:
	// no traces.
	OTLPEndpoint string `yaml:"otlp_endpoint"`
}

// Gemini is the account of the cloud models.
type Gemini struct {
	// APIKey is secret: it is given to nothing but the Gemini client.
	APIKey string `yaml:"api_key"`
	// BaseURL is where the API is; the key is sent there and nowhere else.
	BaseURL string `yaml:"base_url"`
	// Timeout bounds one request to the API, retries and answer included.
	Timeout time.Duration `yaml:"timeout"`
	// Retries is how often a request that failed before its first byte of answer
	// is sent again.
	Retries int `yaml:"retries"`
}

// Engine is a program that runs models.
type Engine struct {
	// Command is the program and its arguments. A name without a slash is
	// looked for in EnginesDir, then in PATH. Empty for engines that are built
	// into the gateway: gemini.
	Command []string `yaml:"command"`
	// Env are variables for the program, beside a minimal environment.
	Env map[string]string `yaml:"env"`
	// MaxConcurrency is what its models have if they do not say; default 1.
	MaxConcurrency int `yaml:"max_concurrency"`
	// Cloud marks engines that send requests off this machine.
	Cloud bool `yaml:"cloud"`
}

// Model is something that is served.
type Model struct {
	// Engine names an entry of Engines.
	Engine string `yaml:"engine"`
	// Path is the model's file or folder: absolute, relative to ModelsDir, or
	// "starter:name" for a model that ships with the program.
	Path string `yaml:"path"`
	// MemoryMB is its size in MiB; 0: estimated from the file.
	MemoryMB int64 `yaml:"memory_mb"`
	// Priority is "low", "normal", "high" or "critical"; default normal.
	Priority Priority `yaml:"priority"`
	// IdleTimeout unloads it when unused for so long; 0 is never, default 5m.
	IdleTimeout *time.Duration `yaml:"idle_timeout"`
	// Threads is how many threads it computes with; default: CPUThreads, and
	// none for models in the cloud.
	Threads int `yaml:"threads"`
	// MaxConcurrency is the most requests at work at once; default: the
	// engine's.
	MaxConcurrency int `yaml:"max_concurrency"`
	// Queue is the most requests that wait; default 256.
	Queue int `yaml:"queue"`
	// ProgressTimeout ends a worker that makes no progress; default 60s.
	ProgressTimeout time.Duration `yaml:"progress_timeout"`
	// Pinned keeps it loaded once it is.
	Pinned bool `yaml:"pinned"`
	// Note is shown to operators.
	Note string `yaml:"note"`
	// Tasks adds the model as the last choice for these task types.
	Tasks []string `yaml:"tasks"`
	// Parameters are the engine's own settings.
	Parameters map[string]any `yaml:"parameters"`

	// ResolvedPath is Path made absolute.
	ResolvedPath string `yaml:"-"`
	// Absent tells why the model is not served although it is configured, e.g.
	// for want of a key; empty: it is served.
	Absent string `yaml:"-"`
}

// Task says which models serve a task type.
type Task struct {
	// Primary is asked first.
	Primary string `yaml:"primary"`
	// Fallbacks are asked in order if it cannot answer.
	Fallbacks []string `yaml:"fallbacks"`
	// Method is the model's method for a task type of your own, which only
	// ExecuteTask reaches.
	Method string `yaml:"method"`
}

// Priority is the name of a gatewayv1.Priority in lower case.
type Priority string

// Proto returns the API's value.
func (p Priority) Proto() gatewayv1.Priority {
	switch p {
	case "low":
		return gatewayv1.Priority_PRIORITY_LOW
	case "high":
		return gatewayv1.Priority_PRIORITY_HIGH
	case "critical":
		return gatewayv1.Priority_PRIORITY_CRITICAL
	default:
		return gatewayv1.Priority_PRIORITY_NORMAL
	}
}

// Candidates returns the task's models, primary first.
func (t Task) Candidates() []string {
	if t.Primary == "" {
		return t.Fallbacks
	}
	return append([]string{t.Primary}, t.Fallbacks...)
}

// ModelTasks returns the task types that a model is routed for, sorted.
func (c *Config) ModelTasks(model string) []string {
	var tasks []string
	for _, name := range slices.Sorted(maps.Keys(c.Tasks)) {
		if slices.Contains(c.Tasks[name].Candidates(), model) {
			tasks = append(tasks, name)
		}
	}
	return tasks
}

// builtInEngine is the name of the engine that is built into the gateway.
const builtInEngine = "gemini"

// InProcess tells whether an engine runs in the gateway's own process: it is
// built in, and the configuration names no program for it.
func (c *Config) InProcess(engine string) bool {
	return engine == builtInEngine && len(c.Engines[engine].Command) == 0
}

// MemoryBudgetBytes is the budget in bytes.
func (c *Config) MemoryBudgetBytes() int64 { return c.MaxMemoryMB << 20 }

// loopback tells whether only this machine can reach the address.
func loopback(address string) bool {
	if network, _ := SplitListen(address); network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// SplitListen splits a listen address into what net.Listen takes.
func SplitListen(address string) (network, addr string) {
	const unix = "unix:"
	if len(address) > len(unix) && address[:len(unix)] == unix {
		return "unix", address[len(unix):]
	}
	return "tcp", address
}
