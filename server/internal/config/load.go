package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lexilingo/modelgateway/configs"
)

// Overrides are command line flags. A field is nil if its flag is not given.
type Overrides struct {
	GRPCListen           *string
	HTTPListen           *string
	ModelsDir            *string
	StateDir             *string
	StartersOnly         *bool
	EnginesDir           *string
	MaxMemoryMB          *int64
	Device               *string
	LogLevel             *string
	LogFormat            *string
	AllowUnauthenticated *bool
	KeysFile             *string
	TLSSelfSigned        *bool
}

// Source is where a configuration comes from.
type Source struct {
	// File is a YAML file. Empty: that of MODELGATEWAY_CONFIG, if it is set.
	File string
	// Environ is the environment, as os.Environ returns it.
	Environ []string
	// Flags override everything else.
	Flags Overrides
	// Machine returns the size of the machine. Nil: that of this machine.
	Machine func() Machine
}

// Load reads, merges, completes and checks the configuration. Its error names
// everything that is wrong, in words for the operator.
func Load(src Source) (*Config, error) {
	cfg := &Config{}
	order, err := decode("built-in configuration", configs.Default, cfg)
	if err != nil {
		return nil, err
	}
	cfg.ModelOrder = order
	env := parseEnviron(src.Environ)
	file := src.File
	if file == "" {
		file = env["MODELGATEWAY_CONFIG"]
	}
	fromFile := map[string]fileTask{}
	if file != "" {
		if fromFile, err = cfg.overlayFile(file); err != nil {
			return nil, err
		}
	}
	models := &modelEnv{}
	envErr := cfg.applyEnv(env, models)
	cfg.applyFlags(src.Flags)
	if envErr != nil {
		return nil, envErr
	}
	if err := cfg.readAPIKey(env); err != nil {
		return nil, err
	}
	machine := src.Machine
	if machine == nil {
		machine = thisMachine
	}
	cfg.setDirs(env)
	if err := cfg.complete(machine(), fromFile); err != nil {
		return nil, err
	}
	if err := cfg.applyModelEnv(models); err != nil {
		return nil, err
	}
	cfg.chooseFiles()
	if err := cfg.applyStarters(); err != nil {
		return nil, err
	}
	cfg.resolvePaths()
	if err := cfg.check(fromFile); err != nil {
		return nil, err
	}
	return cfg, nil
}

// overlayFile lays a file over the built-in configuration. It returns the routes
// that the file itself sets.
func (c *Config) overlayFile(name string) (map[string]fileTask, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration file: %w", err)
	}
	engines, models, tasks, aliases := c.Engines, c.Models, c.Tasks, c.Aliases
	keyBefore := c.Gemini.APIKey
	c.Engines, c.Models, c.Tasks, c.Aliases = nil, nil, nil, nil
	order, err := decode(name, text, c)
	if err != nil {
		return nil, err
	}
	fromFile, err := fileTasks(name, c.Tasks)
	if err != nil {
		return nil, err
	}
	if c.Gemini.APIKey != keyBefore {
		c.private = append(c.private, name)
	}
	c.Engines = overlay(engines, c.Engines)
	maps.DeleteFunc(aliases, func(alias, _ string) bool { _, ok := c.Models[alias]; return ok })
	c.Aliases = overlay(aliases, c.Aliases)
	c.Tasks = tasks
	for task, route := range fromFile {
		c.Tasks[task] = route.Task
	}
	if order == nil {
		c.Models = models
	} else {
		c.ModelOrder = order
	}
	return fromFile, nil
}

func overlay[V any](below, above map[string]V) map[string]V {
	merged := maps.Clone(below)
	if merged == nil {
		merged = map[string]V{}
	}
	maps.Copy(merged, above)
	return merged
}

func (c *Config) applyFlags(f Overrides) {
	set(&c.GRPCListen, f.GRPCListen)
	set(&c.HTTPListen, f.HTTPListen)
	set(&c.ModelsDir, f.ModelsDir)
	set(&c.StateDir, f.StateDir)
	set(&c.StartersOnly, f.StartersOnly)
	set(&c.EnginesDir, f.EnginesDir)
	set(&c.MaxMemoryMB, f.MaxMemoryMB)
	set(&c.Device, f.Device)
	set(&c.Log.Level, f.LogLevel)
	set(&c.Log.Format, f.LogFormat)
	set(&c.AllowUnauthenticated, f.AllowUnauthenticated)
	set(&c.Auth.KeysFile, f.KeysFile)
	set(&c.TLS.SelfSigned, f.TLSSelfSigned)
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

const (
	defaultIdleTimeout     = 5 * time.Minute
	defaultProgressTimeout = time.Minute
	defaultQueue           = 256
)

// complete sets the fields that depend on the machine or on other fields.
func (c *Config) complete(m Machine, fromFile map[string]fileTask) error {
	if c.CPUThreads == 0 {
		c.CPUThreads = m.Threads
	}
	if limit := m.MemoryBytes >> 20; limit > 0 && c.MaxMemoryMB > limit {
		c.Warnings = append(c.Warnings, fmt.Sprintf(
			"max_memory_mb is lowered from %d to %d, because this machine or its cgroup has no more", c.MaxMemoryMB, limit))
		c.MaxMemoryMB = limit
	}
	var err error
	if c.StateDir, err = stateDir(c.StateDir); err != nil {
		return err
	}
	if file := c.Auth.KeysFile; file != "" && !filepath.IsAbs(file) {
		c.Auth.KeysFile = filepath.Join(c.StateDir, file)
	}
	if c.EnginesDir == "" {
		if exe, err := os.Executable(); err == nil {
			c.EnginesDir = filepath.Dir(exe)
		}
	}
	for name, engine := range c.Engines {
		if c.InProcess(name) {
			engine.Cloud = true // also if a file sets other keys of the engine
			c.Engines[name] = engine
		}
	}
	for name, model := range c.Models {
		c.Models[name] = c.completeModel(model)
	}
	c.completeTasks(fromFile)
	c.warnOfTasks()
	return nil
}

func (c *Config) completeModel(m Model) Model {
	if m.Priority == "" {
		m.Priority = "normal"
	}
	if m.IdleTimeout == nil {
		d := defaultIdleTimeout
		m.IdleTimeout = &d
	}
	if m.Threads == 0 && !c.Engines[m.Engine].Cloud { // models in the cloud use no threads here
		m.Threads = c.CPUThreads
	}
	if m.MaxConcurrency == 0 {
		m.MaxConcurrency = max(1, c.Engines[m.Engine].MaxConcurrency)
	}
	if m.Queue == 0 {
		m.Queue = defaultQueue
	}
	if m.ProgressTimeout == 0 {
		m.ProgressTimeout = defaultProgressTimeout
	}
	if c.Engines[m.Engine].Cloud && c.InProcess(m.Engine) && c.Gemini.APIKey == "" {
		m.Absent = "GEMINI_API_KEY is not set"
	}
	return m
}

// stateDir returns the given directory, or the default for this user.
func stateDir(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	if base := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "modelgateway"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("state_dir is not set and there is no home directory for its default: set state_dir or --state-dir")
	}
	return filepath.Join(home, ".local", "state", "modelgateway"), nil
}

// Machine is what the server may use of the machine.
type Machine struct {
	// MemoryBytes is the physical memory or the cgroup's limit. 0: unknown.
	MemoryBytes int64
	// Threads is the number of CPUs.
	Threads int
}

func thisMachine() Machine {
	return Machine{MemoryBytes: memoryLimit("/"), Threads: runtime.GOMAXPROCS(0)}
}
