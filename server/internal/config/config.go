// Package config reads the configuration of the server. The built-in defaults are
// overridden by a YAML file, the file by environment variables, and those by flags.
package config

import (
	"maps"
	"net"
	"slices"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/internal/isolate"
)

// Config is the configuration. Load returns it complete and valid.
type Config struct {
	// GRPCListen is the gRPC address, "host:port" or "unix:/path".
	GRPCListen string `yaml:"grpc_listen"`
	// HTTPListen is the HTTP address.
	HTTPListen string `yaml:"http_listen"`
	// Auth says who may call.
	Auth Auth `yaml:"auth"`
	// TLS is the transport security of both listeners.
	TLS TLS `yaml:"tls"`
	// AllowUnauthenticated allows listen addresses that other machines can reach
	// although auth has nothing that callers need. A proxy in front of the server must then authenticate
	// callers.
	AllowUnauthenticated bool `yaml:"allow_unauthenticated"`
	// AllowedHosts are names under which HTTP requests are answered, in addition to
	// localhost and IP addresses: "ai.example.org", "*.example.org", or "*" for all.
	AllowedHosts []string `yaml:"allowed_hosts"`
	// Advertise is the address at which proxies reach this server and no other.
	Advertise string `yaml:"advertise"`
	// TrustedProxies are addresses and networks of proxies whose header
	// X-Forwarded-For says for whom they call.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// ModelsDir is the directory of relative model paths. Default: "models" in the
	// working directory if it exists, else DataDir.
	ModelsDir string `yaml:"models_dir"`
	// StartersOnly makes the models ignore Prefer.
	StartersOnly bool `yaml:"starters_only"`
	// StateDir is the directory of learned sizes and load times, and of the starters.
	StateDir string `yaml:"state_dir"`
	// EnginesDir is the directory that is searched for engine programs before PATH.
	EnginesDir string `yaml:"engines_dir"`
	// MaxMemoryMB is the memory budget of all models together, in MiB.
	MaxMemoryMB int64 `yaml:"max_memory_mb"`
	// CPUThreads is the number of inference threads that may run at once.
	CPUThreads int `yaml:"cpu_threads"`
	// Device is "auto", "cpu", "cuda" or "mps".
	Device string `yaml:"device"`
	// PreloadTimeout is how long the server waits at most, before it is ready, for
	// models that are loaded at the start.
	PreloadTimeout time.Duration `yaml:"preload_timeout"`
	// DrainDelay is how long the server goes on after SIGTERM while it reports that it
	// is not ready: time for those that send requests to choose another one.
	DrainDelay time.Duration `yaml:"drain_delay"`
	// DrainTimeout is how long the server then serves the requests that it has.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
	// Debuggable lets other programs of the server's user read its memory.
	Debuggable bool `yaml:"debuggable"`
	// Log is the level and the format of the log.
	Log Log `yaml:"log"`
	// Limits protect the server from clients.
	Limits Limits `yaml:"limits"`
	// Breaker configures the circuit breakers of the models.
	Breaker Breaker `yaml:"breaker"`
	// CORS says which web pages may call the server.
	CORS CORS `yaml:"cors"`
	// Telemetry says where traces are sent.
	Telemetry Telemetry `yaml:"telemetry"`
	// Gemini is the account of the models in the cloud.
	Gemini Gemini `yaml:"gemini"`
	// Engines are the programs that run models, by name.
	Engines map[string]Engine `yaml:"engines"`
	// Models are the models, by name. ModelOrder has their order.
	Models map[string]Model `yaml:"models"`
	// Tasks are the routes, by the canonical name of the task.
	Tasks map[string]Task `yaml:"tasks"`
	// Aliases are other names of models, tasks and voices in OpenAI's API. An alias
	// stands for a model, or for a task and so for the task's models.
	Aliases map[string]string `yaml:"aliases"`

	// DataDir is where the models of this user are, whatever the working directory is.
	// Empty: the user has no home directory.
	DataDir string `yaml:"-"`
	// ModelOrder is the names of Models in the order of the file.
	ModelOrder []string `yaml:"-"`
	// Warnings are messages for the log: what was changed or ignored, and why.
	Warnings []string `yaml:"-"`

	private []string // files and folders with secrets that have no key of their own
}

// TLS is the transport security of both listeners, except Unix sockets.
type TLS struct {
	// CertFile and KeyFile are the server's certificate, with its chain, and its
	// private key, in PEM form. They are read again when they change. Empty: plain
	// text.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ClientCAFile has the authorities of the clients' certificates, in PEM form.
	// Every client needs a certificate then.
	ClientCAFile string `yaml:"client_ca_file"`
	// SelfSigned makes a certificate for this machine in the state directory, for a
	// first try.
	SelfSigned bool `yaml:"self_signed"`
}

// Enabled reports whether the listeners have transport security.
func (t TLS) Enabled() bool { return t.CertFile != "" || t.SelfSigned }

// Log is the level and the format of the log.
type Log struct {
	// Level is "debug", "info", "warn" or "error".
	Level string `yaml:"level"`
	// Format is "json", "text", or "auto": text on a terminal.
	Format string `yaml:"format"`
}

// Limits protect the server from clients.
type Limits struct {
	// MaxRequestMB is the size limit of a request message, in MiB.
	MaxRequestMB int `yaml:"max_request_mb"`
	// MaxConcurrentStreams is the limit of concurrent calls on one connection.
	MaxConcurrentStreams uint32 `yaml:"max_concurrent_streams"`
	// MaxCalls is the limit of calls and requests at once, of all clients.
	MaxCalls int `yaml:"max_calls"`
	// MaxResets is how many calls a second one client may cancel, on all of its
	// connections together, before it is served slowly.
	MaxResets int `yaml:"max_resets"`
	// MaxConnections is the limit of connections to each port.
	MaxConnections int `yaml:"max_connections"`
	// MaxWatchers is the limit of WatchModels calls at once.
	MaxWatchers int `yaml:"max_watchers"`
	// MaxConnectionAge is the age at which the client of a gRPC connection is asked to
	// open a new one. Current calls continue. 0: no limit.
	MaxConnectionAge time.Duration `yaml:"max_connection_age"`
	// MaxHeaderKB is the size limit of the headers of a request, in KiB.
	MaxHeaderKB int `yaml:"max_header_kb"`
	// SlowReaderTimeout is how long a client may take to read one message of a stream
	// before the call fails, and how far it may fall behind 8 KiB a second. 0: no limit.
	SlowReaderTimeout time.Duration `yaml:"slow_reader_timeout"`
	// Caller is how much one API key may use unless its entry says otherwise; without
	// keys, one address.
	Caller Quota `yaml:"caller"`
}

// Breaker configures the circuit breakers, which keep requests away from models that
// fail repeatedly.
type Breaker struct {
	// Failures is the number of failures in a row that open a model's breaker. 0: it
	// never opens.
	Failures int `yaml:"failures"`
	// Open is how long the breaker stays open before one request may try the model.
	Open time.Duration `yaml:"open"`
}

// CORS says which web pages may call the server.
type CORS struct {
	// AllowedOrigins are origins of web pages, such as "https://app.example.org"; "*"
	// stands for all. Pages of other origins can neither change anything nor read an
	// answer. Only browsers send an origin; other programs are not affected.
	AllowedOrigins []string `yaml:"allowed_origins"`
}

// Telemetry says where traces are sent.
type Telemetry struct {
	// OTLPEndpoint is the address of an OTLP/gRPC collector, e.g.
	// "http://127.0.0.1:4317". Empty: no traces.
	OTLPEndpoint string `yaml:"otlp_endpoint"`
}

// Gemini is the account of the models in the cloud.
type Gemini struct {
	// APIKey is secret. Only the Gemini client gets it.
	APIKey string `yaml:"api_key"`
	// APIKeyFile is a file with the key, instead of APIKey.
	APIKeyFile string `yaml:"api_key_file"`
	// BaseURL is the address of the API. The key is sent only there.
	BaseURL string `yaml:"base_url"`
	// Timeout bounds one request to the API, including retries and the whole answer.
	Timeout time.Duration `yaml:"timeout"`
	// Retries is how often a request is sent again that failed before the first byte of
	// its answer.
	Retries int `yaml:"retries"`
}

// Engine is a program that runs models.
type Engine struct {
	// Command is the program and its arguments. A name without a slash is searched in
	// EnginesDir, then in PATH. It is empty for gemini, which is part of the server.
	Command []string `yaml:"command"`
	// Env are environment variables of the program, in addition to a minimal set.
	Env map[string]string `yaml:"env"`
	// MaxConcurrency is the default of its models' MaxConcurrency. Default: 1.
	MaxConcurrency int `yaml:"max_concurrency"`
	// Cloud is true for engines that send requests to other machines.
	Cloud bool `yaml:"cloud"`
	// Allow is what the engine's workers may use although workers are isolated:
	// "network", "files" for all files.
	Allow []string `yaml:"allow"`
	// ReadPaths are files and folders that the workers may read, in addition to the
	// engine's program and the model.
	ReadPaths []string `yaml:"read_paths"`
	// WritePaths are files and folders that the workers may change.
	WritePaths []string `yaml:"write_paths"`
}

// Values of Engine.Allow.
const (
	AllowNetwork = "network"
	AllowFiles   = "files"
)

// Rights returns what the configuration allows the engine's workers.
func (e Engine) Rights() isolate.Policy {
	return isolate.Policy{
		Network:  slices.Contains(e.Allow, AllowNetwork),
		AllFiles: slices.Contains(e.Allow, AllowFiles),
		Read:     e.ReadPaths,
		Write:    e.WritePaths,
	}
}

// Environ returns Env in the form of os.Environ, sorted.
func (e Engine) Environ() []string {
	env := make([]string, 0, len(e.Env))
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		env = append(env, name+"="+e.Env[name])
	}
	return env
}

// Model is a model.
type Model struct {
	// Engine is the name of an entry of Engines.
	Engine string `yaml:"engine"`
	// Path is the file or directory of the model: absolute, relative to ModelsDir, or
	// "starter:NAME" for a starter.
	Path string `yaml:"path"`
	// Prefer are paths that replace Path: the first that exists and fits in the
	// memory budget.
	Prefer []string `yaml:"prefer"`
	// MemoryMB is the memory to reserve for the model, in MiB. 0: it is estimated from
	// the file, and learned after the first load.
	MemoryMB int64 `yaml:"memory_mb"`
	// Priority is "low", "normal", "high" or "critical". Default: normal.
	Priority Priority `yaml:"priority"`
	// IdleTimeout is the time without requests after which the model is unloaded. 0:
	// never. Default: 5m.
	IdleTimeout *time.Duration `yaml:"idle_timeout"`
	// Threads is the number of inference threads. Default: CPUThreads, and none for
	// models in the cloud.
	Threads int `yaml:"threads"`
	// MaxConcurrency is how many requests the model serves at once. Default: the
	// engine's.
	MaxConcurrency int `yaml:"max_concurrency"`
	// Queue is how many requests may wait for the model. Default: 256.
	Queue int `yaml:"queue"`
	// ProgressTimeout is how long a worker may make no progress before it is ended.
	// Default: 60s.
	ProgressTimeout time.Duration `yaml:"progress_timeout"`
	// Preload loads the model at the start. The server is not ready before that.
	Preload bool `yaml:"preload"`
	// Pinned keeps the model loaded after its first load.
	Pinned bool `yaml:"pinned"`
	// Note is a text for operators.
	Note string `yaml:"note"`
	// Tasks are tasks to whose routes the model is added as the last fallback.
	Tasks []string `yaml:"tasks"`
	// Parameters are the model's parameters. Its engine reads and checks them.
	Parameters map[string]any `yaml:"parameters"`

	// ResolvedPath is Path as an absolute path.
	ResolvedPath string `yaml:"-"`
	// Warning is what callers should know of the model's answers; empty for most.
	Warning string `yaml:"-"`
	// Absent is the reason why the model is not served although it is configured, such
	// as a missing key. Empty: it is served.
	Absent string `yaml:"-"`
}

// Task is the route of a task: the models that serve it.
type Task struct {
	// Primary is the model that is tried first.
	Primary string `yaml:"primary"`
	// Fallbacks are the models that are tried next, in order.
	Fallbacks []string `yaml:"fallbacks"`
	// Method is the engine's method for a task that the configuration adds. Only
	// ExecuteTask runs such tasks.
	Method string `yaml:"method"`
}

// Priority is the name of a gatewayv1.Priority, in lower case.
type Priority string

// Proto returns the value of the API.
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

// ModelTasks returns the names of the tasks that a model serves, sorted.
func (c *Config) ModelTasks(model string) []string {
	var tasks []string
	for _, name := range slices.Sorted(maps.Keys(c.Tasks)) {
		if slices.Contains(c.Tasks[name].Candidates(), model) {
			tasks = append(tasks, name)
		}
	}
	return tasks
}

// builtInEngine is the name of the engine that is part of the server.
const builtInEngine = "gemini"

// InProcess reports whether an engine runs in the server's process: it is built in,
// and the configuration names no program for it.
func (c *Config) InProcess(engine string) bool {
	return engine == builtInEngine && len(c.Engines[engine].Command) == 0
}

// Private returns the files and folders of the server that no worker needs.
func (c *Config) Private() []string {
	paths := append([]string{c.StateDir, c.Auth.KeysFile, c.TLS.KeyFile, c.Gemini.APIKeyFile}, c.private...)
	return slices.DeleteFunc(paths, func(path string) bool { return path == "" })
}

// MemoryBudgetBytes returns the memory budget in bytes.
func (c *Config) MemoryBudgetBytes() int64 { return c.MaxMemoryMB << 20 }

// loopback reports whether only this machine can reach the address.
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

// SplitListen splits a listen address into the arguments of net.Listen.
func SplitListen(address string) (network, addr string) {
	const unix = "unix:"
	if len(address) > len(unix) && address[:len(unix)] == unix {
		return "unix", address[len(unix):]
	}
	return "tcp", address
}

// DialAddress returns the address at which a client on this machine reaches a listen
// address: an unspecified host such as 0.0.0.0 becomes 127.0.0.1.
func DialAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if network, _ := SplitListen(listen); network == "unix" || err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}
