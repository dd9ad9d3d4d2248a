package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/bundled"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
	"github.com/lexilingo/modelgateway/engines/gemini"
	"github.com/lexilingo/modelgateway/engines/gemini/endpoint"
	"github.com/lexilingo/modelgateway/internal/suggest"
	"github.com/lexilingo/modelgateway/models"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

var hostName = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$`)

var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// The largest numbers that make sense. Values computed from them fit their types:
// bytes in 63 bits, counts in the 32 bits of the protocol. configs/config.schema.json
// has the same limits.
const (
	maxMemoryMB    = 1 << 30 // 1 PiB
	maxThreads     = 1 << 16
	maxConcurrency = 1 << 16
	maxQueue       = 1 << 20
	maxFailures    = 1 << 20
	maxBreakerOpen = 24 * time.Hour
)

// check returns an error that names everything that is wrong. fromFile are the
// routes of the configuration file.
func (c *Config) check(fromFile map[string]fileTask) error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	c.checkListen(bad)
	c.checkAuth(bad)
	c.checkTLS(bad)
	inRange(bad, "max_memory_mb", c.MaxMemoryMB, 1, maxMemoryMB)
	if c.CPUThreads < 1 || c.CPUThreads > maxThreads {
		bad("cpu_threads is %d: it must be 1 to %d, or 0 for the number of CPUs", c.CPUThreads, maxThreads)
	}
	notNegative(bad, "preload_timeout", c.PreloadTimeout)
	notNegative(bad, "drain_delay", c.DrainDelay)
	notNegative(bad, "drain_timeout", c.DrainTimeout)
	oneOf(bad, "device", c.Device, "auto", "cpu", "cuda", "mps")
	oneOf(bad, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(bad, "log.format", c.Log.Format, "auto", "json", "text")
	c.checkLimits(bad)
	inRange(bad, "breaker.failures", int64(c.Breaker.Failures), 0, maxFailures)
	if c.Breaker.Open <= 0 || c.Breaker.Open > maxBreakerOpen {
		bad("breaker.open is %s: it must be more than 0s and at most %s", c.Breaker.Open, maxBreakerOpen)
	}
	c.checkTelemetry(bad)
	c.checkGemini(bad)
	c.checkEngines(bad)
	for _, name := range c.ModelOrder {
		c.checkModel(bad, name, c.Models[name])
	}
	c.checkTasks(bad, fromFile)
	c.checkAliases(bad)
	return errors.Join(wrong...)
}

// complain adds an error.
type complain = func(format string, args ...any)

func oneOf(bad complain, key, value string, known ...string) {
	if !slices.Contains(known, value) {
		bad("%s is %q: it must be one of %s%s", key, value, strings.Join(known, ", "), suggest.DidYouMean(value, known))
	}
}

func inRange(bad complain, key string, value, lowest, highest int64) {
	if value < lowest || value > highest {
		bad("%s is %d: it must be %d to %d", key, value, lowest, highest)
	}
}

func notNegative(bad complain, key string, d time.Duration) {
	if d < 0 {
		bad("%s is %s: it must not be negative", key, d)
	}
}

// checkListen refuses addresses that other machines can reach unless the operator
// allows them explicitly, because the server does not authenticate callers. It warns
// of those that are allowed.
func (c *Config) checkListen(bad complain) {
	for _, l := range []struct{ key, address string }{{"grpc_listen", c.GRPCListen}, {"http_listen", c.HTTPListen}} {
		network, addr := SplitListen(l.address)
		if _, _, err := net.SplitHostPort(addr); network == "tcp" && err != nil {
			bad("%s is %q: it must be host:port or unix:/path", l.key, l.address)
			continue
		}
		if network == "unix" && strings.HasPrefix(addr, "@") {
			bad("%s is %q: every user of this machine could connect to a socket without a file: use unix:/path", l.key, l.address)
			continue
		}
		switch {
		case loopback(l.address):
		case c.Auth.Required():
			if !c.TLS.Enabled() {
				c.Warnings = append(c.Warnings, fmt.Sprintf("%s is %q without TLS: everyone on the way can read API keys, access tokens, text and speech; "+
					"set tls.cert_file and tls.key_file, unless a proxy in front has TLS", l.key, l.address))
			}
		case c.AllowUnauthenticated:
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s is %q and the server does not authenticate callers: everyone who reaches this address "+
				"can use and unload the models; publish the port on 127.0.0.1 only, or let only a proxy that authenticates callers reach it", l.key, l.address))
		default:
			bad("%s is %q, which other machines can reach, and the server does not authenticate callers: use 127.0.0.1, or API keys "+
				"(auth.keys_file, \"modelgateway keys add\") or tokens (auth.issuers), or set allow_unauthenticated: true (--allow-unauthenticated) if a proxy in front authenticates them", l.key, l.address)
		}
	}
}

// checkTLS refuses files that are not complete.
func (c *Config) checkTLS(bad complain) {
	t := c.TLS
	switch {
	case (t.CertFile == "") != (t.KeyFile == ""):
		bad("tls needs both cert_file and key_file")
	case t.SelfSigned && t.CertFile != "":
		bad("tls.self_signed and tls.cert_file exclude each other: remove one")
	case t.ClientCAFile != "" && !t.Enabled():
		bad("tls.client_ca_file needs tls.cert_file and tls.key_file")
	}
}

func (c *Config) checkLimits(bad complain) {
	inRange(bad, "limits.max_request_mb", int64(c.Limits.MaxRequestMB), 1, 1024)
	if c.Limits.MaxConcurrentStreams < 1 {
		bad("limits.max_concurrent_streams is 0: it must be at least 1")
	}
	inRange(bad, "limits.max_calls", int64(c.Limits.MaxCalls), 4, 1<<20)
	inRange(bad, "limits.max_resets", int64(c.Limits.MaxResets), 1, 1<<20)
	inRange(bad, "limits.max_connections", int64(c.Limits.MaxConnections), 2, 1<<20)
	inRange(bad, "limits.max_watchers", int64(c.Limits.MaxWatchers), 1, 1<<20)
	notNegative(bad, "limits.max_connection_age", c.Limits.MaxConnectionAge)
	notNegative(bad, "limits.slow_reader_timeout", c.Limits.SlowReaderTimeout)
	inRange(bad, "limits.max_header_kb", int64(c.Limits.MaxHeaderKB), 4, 1024)
	c.checkQuota(bad)
	for _, host := range c.AllowedHosts {
		if host != "*" && !hostName.MatchString(host) {
			bad("allowed_hosts has %q: write a name without scheme and port, such as ai.example.org or *.example.org, or * for all", host)
		}
	}
	if _, err := peers.ParseProxies(c.TrustedProxies); err != nil {
		bad("trusted_proxies %w", err)
	}
	for _, origin := range c.CORS.AllowedOrigins {
		if u, err := url.Parse(origin); origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			bad("cors.allowed_origins has %q: write an origin such as https://app.example.org, or * for all", origin)
		}
	}
}

// checkTelemetry refuses addresses that the trace exporter would silently replace by
// its default.
func (c *Config) checkTelemetry(bad complain) {
	endpoint := c.Telemetry.OTLPEndpoint
	if endpoint == "" {
		return
	}
	if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		bad("telemetry.otlp_endpoint is %q: write a URL such as http://127.0.0.1:4317 or https://collector.example.org:4317", endpoint)
	}
}

// The largest values that make sense for requests to the cloud.
const (
	maxCloudTimeout = time.Hour
	maxCloudRetries = 10
)

// checkGemini checks the account. Its errors never contain the key.
func (c *Config) checkGemini(bad complain) {
	if strings.ContainsFunc(c.Gemini.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		bad("gemini.api_key (GEMINI_API_KEY) contains a space or another character that keys never have: copy the key again")
	}
	if err := endpoint.Check(c.Gemini.BaseURL); err != nil {
		bad("gemini.base_url is wrong: %w", err)
	}
	if c.Gemini.Timeout <= 0 || c.Gemini.Timeout > maxCloudTimeout {
		bad("gemini.timeout is %s: it must be more than 0s and at most %s", c.Gemini.Timeout, maxCloudTimeout)
	}
	inRange(bad, "gemini.retries", int64(c.Gemini.Retries), 0, maxCloudRetries)
}

func (c *Config) checkEngines(bad complain) {
	for _, name := range slices.Sorted(maps.Keys(c.Engines)) {
		if command := c.Engines[name].Command; !c.InProcess(name) && (len(command) == 0 || command[0] == "") {
			bad("engines.%s has no command: set it to the engine's program and its arguments, e.g. [engine-%s]", name, name)
		}
		inRange(bad, "engines."+name+".max_concurrency", int64(c.Engines[name].MaxConcurrency), 0, maxConcurrency)
		c.checkAllowed(bad, name)
	}
}

// checkAllowed checks what an engine's workers may use.
func (c *Config) checkAllowed(bad complain, name string) {
	engine, key := c.Engines[name], "engines."+name
	if c.InProcess(name) {
		if len(engine.Allow)+len(engine.ReadPaths)+len(engine.WritePaths) > 0 {
			bad("%s has allow, read_paths or write_paths, but runs in the server's process: remove them", key)
		}
		return
	}
	for _, right := range engine.Allow {
		oneOf(bad, key+".allow", right, AllowNetwork, AllowFiles)
	}
	for _, path := range slices.Concat(engine.ReadPaths, engine.WritePaths) {
		if !filepath.IsAbs(path) {
			bad("%s.read_paths and write_paths: %q is not absolute: write the whole path", key, path)
		}
	}
	if engine.Cloud && !engine.Rights().Network {
		bad("%s sends requests to other machines (cloud: true), but its workers have no network: add allow: [network]", key)
	}
}

func (c *Config) checkModel(bad complain, name string, m Model) {
	key := "models." + name
	if !modelName.MatchString(name) {
		bad("%s: the name of a model must be 1 to 128 letters, digits, dots, dashes and underscores, and begin with a letter or digit", key)
	}
	known := slices.Sorted(maps.Keys(c.Engines))
	if m.Engine == "" {
		bad("%s has no engine: set it to one of %s", key, strings.Join(known, ", "))
	} else if _, ok := c.Engines[m.Engine]; !ok {
		bad("%s: no engine %q is configured%s", key, m.Engine, suggest.DidYouMean(m.Engine, known))
	}
	if m.Path == "" && !c.Engines[m.Engine].Cloud && c.Engines[m.Engine].Command != nil {
		bad("%s has no path: set it to the model's file or directory", key)
	}
	if file, ok := strings.CutPrefix(m.Path, StarterScheme); ok {
		checkStarter(bad, key, file)
	}
	if err := c.checkParameters(m); err != nil {
		bad("%s.parameters: %s", key, errs.From(err).Message())
	}
	oneOf(bad, key+".priority", string(m.Priority), "low", "normal", "high", "critical")
	inRange(bad, key+".memory_mb", m.MemoryMB, 0, maxMemoryMB)
	inRange(bad, key+".threads", int64(m.Threads), 0, maxThreads)
	inRange(bad, key+".max_concurrency", int64(m.MaxConcurrency), 0, maxConcurrency)
	inRange(bad, key+".queue", int64(m.Queue), 0, maxQueue)
	notNegative(bad, key+".idle_timeout", *m.IdleTimeout)
	notNegative(bad, key+".progress_timeout", m.ProgressTimeout)
}

// checkParameters checks the parameters of a model of an engine that ships with the
// server. What only another engine knows, it checks when it loads the model.
func (c *Config) checkParameters(m Model) error {
	parameters, err := structpb.NewStruct(m.Parameters)
	switch {
	case err != nil:
		return errs.New(errs.InvalidRequest, "%v", err)
	case c.InProcess(m.Engine):
		return gemini.CheckParameters(parameters)
	}
	return bundled.CheckParameters(c.Engines[m.Engine].Command, footprint.Model{Parameters: parameters, MaxConcurrency: m.MaxConcurrency})
}

// checkStarter checks that a starter exists.
func checkStarter(bad complain, key, file string) {
	sums, err := models.Checksums()
	if err != nil {
		bad("%s.path: %w", key, err)
		return
	}
	if _, ok := sums[file]; !ok {
		known := slices.Sorted(maps.Keys(sums))
		bad("%s.path: there is no starter %q: use one of %s", key, file, strings.Join(known, ", "))
	}
}
