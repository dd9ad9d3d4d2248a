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

// Overrides are command line flags; nil fields were not given.
type Overrides struct {
	GRPCListen           *string
	HTTPListen           *string
	ModelsDir            *string
	StateDir             *string
	EnginesDir           *string
	MaxMemoryMB          *int64
	Device               *string
	LogLevel             *string
	LogFormat            *string
	AllowUnauthenticated *bool
}

// Source says where a configuration comes from.
type Source struct {
	// File is a YAML file; empty: MODELGATEWAY_CONFIG, else none.
	File string
	// Environ holds "KEY=value" pairs, as os.Environ does.
	Environ []string
	// Flags are above everything else.
	Flags Overrides
	// Machine tells the machine's size; nil: the machine's own.
	Machine func() Machine
}

// Load reads, merges, completes and checks the configuration. Its error names
// everything that is wrong, for the operator.
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
	explicit := map[string]Task{}
	if file != "" {
		if explicit, err = cfg.overlayFile(file); err != nil {
			return nil, err
		}
	}
	models := &modelEnv{}
	envErr := cfg.applyEnv(env, models)
	cfg.applyFlags(src.Flags)
	if envErr != nil {
		return nil, envErr
	}
	machine := src.Machine
	if machine == nil {
		machine = thisMachine
	}
	if err := cfg.complete(machine(), explicit); err != nil {
		return nil, err
	}
	if err := cfg.applyModelEnv(models); err != nil {
		return nil, err
	}
	cfg.resolvePaths()
	if err := cfg.check(explicit); err != nil {
		return nil, err
	}
	return cfg, nil
}

// overlayFile puts a file above what is there. It returns the tasks that the
// file itself routes.
func (c *Config) overlayFile(name string) (map[string]Task, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	engines, models, tasks := c.Engines, c.Models, c.Tasks
	c.Engines, c.Models, c.Tasks = nil, nil, nil
	order, err := decode(name, text, c)
	if err != nil {
		return nil, err
	}
	explicit := maps.Clone(c.Tasks)
	c.Engines = overlay(engines, c.Engines)
	c.Tasks = overlay(tasks, c.Tasks)
	if order == nil {
		c.Models = models
	} else {
		c.ModelOrder = order
	}
	return explicit, nil
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
	set(&c.EnginesDir, f.EnginesDir)
	set(&c.MaxMemoryMB, f.MaxMemoryMB)
	set(&c.Device, f.Device)
	set(&c.Log.Level, f.LogLevel)
	set(&c.Log.Format, f.LogFormat)
	set(&c.AllowUnauthenticated, f.AllowUnauthenticated)
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

// complete fills what depends on the machine or on other fields.
func (c *Config) complete(m Machine, explicit map[string]Task) error {
	if c.CPUThreads == 0 {
		c.CPUThreads = m.Threads
	}
	if limit := m.MemoryBytes >> 20; limit > 0 && c.MaxMemoryMB > limit {
		c.Warnings = append(c.Warnings, fmt.Sprintf(
			"max_memory_mb is lowered from %d to %d: this machine, or its cgroup, has no more", c.MaxMemoryMB, limit))
		c.MaxMemoryMB = limit
	}
	var err error
	if c.StateDir, err = stateDir(c.StateDir); err != nil {
		return err
	}
	if c.EnginesDir == "" {
		if exe, err := os.Executable(); err == nil {
			c.EnginesDir = filepath.Dir(exe)
		}
	}
	for name, engine := range c.Engines {
		if c.InProcess(name) {
			engine.Cloud = true // whoever changes another of its keys may leave it out
			c.Engines[name] = engine
		}
	}
	for name, model := range c.Models {
		c.Models[name] = c.completeModel(model)
	}
	c.completeTasks(explicit)
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
	if m.Threads == 0 && !c.Engines[m.Engine].Cloud { // the cloud computes elsewhere
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

// stateDir returns the given directory, or the user's.
func stateDir(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	if base := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "modelgateway"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("state_dir is not set, and there is no home directory to put it in")
	}
	return filepath.Join(home, ".local", "state", "modelgateway"), nil
}

// Machine is what the gateway may use.
type Machine struct {
	// MemoryBytes is the physical memory or the cgroup's limit; 0: not known.
	MemoryBytes int64
	// Threads is the number of CPUs.
	Threads int
}

func thisMachine() Machine {
	return Machine{MemoryBytes: memoryLimit("/"), Threads: runtime.GOMAXPROCS(0)}
}
