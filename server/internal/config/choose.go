package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/bundled"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
)

// defaultModelsDir is the models directory of the Python gateway, below the working
// directory.
const defaultModelsDir = "models"

// setDirs sets DataDir and the default of ModelsDir.
func (c *Config) setDirs(env map[string]string) {
	if base := env["XDG_DATA_HOME"]; filepath.IsAbs(base) {
		c.DataDir = filepath.Join(base, "modelgateway", "models")
	} else if home := env["HOME"]; filepath.IsAbs(home) {
		c.DataDir = filepath.Join(home, ".local", "share", "modelgateway", "models")
	}
	if c.ModelsDir != "" {
		return
	}
	c.ModelsDir = defaultModelsDir
	if c.DataDir != "" && !isDir(defaultModelsDir) {
		c.ModelsDir = c.DataDir
	}
}

// chooseFiles replaces the paths of models by preferred ones that exist.
func (c *Config) chooseFiles() {
	for _, name := range c.ModelOrder {
		m := c.Models[name]
		for _, path := range m.Prefer {
			if !c.StartersOnly && c.usable(name, m, path) {
				note := fmt.Sprintf("%s was found, so it is used instead of %s.", path, m.Path)
				m = m.withPath(path)
				m.Note = note
				break
			}
		}
		c.Models[name] = m
	}
}

// withPath returns the model with another file.
func (m Model) withPath(path string) Model {
	if m.isStarter() {
		// These describe the starter.
		m.Note = ""
		m.MemoryMB = 0
	}
	m.Path = path
	return m
}

func (m Model) isStarter() bool { return strings.HasPrefix(m.Path, StarterScheme) }

// usable reports whether a file exists, and fits in the memory budget by the
// estimate of its engine. A warning says why an existing one is not usable.
func (c *Config) usable(name string, m Model, path string) bool {
	file := c.absolute(path)
	if !exists(file) {
		return false
	}
	parameters, err := structpb.NewStruct(m.Parameters)
	if err != nil {
		return true // whatever the file is, the configuration is refused later
	}
	need, err := bundled.EstimateMemory(c.Engines[m.Engine].Command,
		footprint.Model{Path: file, Parameters: parameters, MaxConcurrency: m.MaxConcurrency})
	switch {
	case err != nil:
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s is not used for %s: %s", file, name, errs.From(err).Message()))
	case need > c.MemoryBudgetBytes():
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s is not used for %s: it needs %d MiB, and the memory budget is %d MiB", file, name, need>>20, c.MaxMemoryMB))
	default:
		return true
	}
	return false
}
