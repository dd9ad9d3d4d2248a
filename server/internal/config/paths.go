package config

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/bundled"
	"github.com/lexilingo/modelgateway/engines/llama/gguffile"
	"github.com/lexilingo/modelgateway/models"
)

// StarterScheme is the prefix of the paths of starters.
const StarterScheme = "starter:"

// starterDir returns the directory into which the starters are unpacked.
func (c *Config) starterDir() string { return filepath.Join(c.StateDir, "starter") }

// UnpackStarter writes the starters to the disk and sets their paths, if the
// configuration uses any.
func (c *Config) UnpackStarter() error {
	var files map[string]string
	for name, m := range c.Models {
		file, ok := strings.CutPrefix(m.Path, StarterScheme)
		if !ok {
			continue
		}
		if files == nil {
			var err error
			if files, err = models.Extract(c.starterDir()); err != nil {
				return err
			}
		}
		m.ResolvedPath = files[file]
		c.Models[name] = m
	}
	return nil
}

// applyStarters sets the warnings of starters, and those parameters of theirs that the
// configuration does not set.
func (c *Config) applyStarters() error {
	starters, err := models.Starters()
	if err != nil {
		return err
	}
	for name, m := range c.Models {
		file, ok := strings.CutPrefix(m.Path, StarterScheme)
		if !ok {
			continue
		}
		m.Warning = starters[file].Warning
		m.Parameters = overlay(starters[file].Parameters, m.Parameters)
		c.Models[name] = m
	}
	return nil
}

// EngineCommand returns an engine's command with the path of its program. A name
// without a slash is searched in EnginesDir, then in PATH. If it is in neither, it
// stays unchanged, and starting it reports the error. An engine that runs in the
// server's process has no command.
func (c *Config) EngineCommand(engine string) []string {
	if c.InProcess(engine) {
		return nil
	}
	command := c.Engines[engine].Command
	return append([]string{c.ProgramPath(command[0])}, command[1:]...)
}

// ProgramPath returns the path of a program. A name without a slash is searched in
// EnginesDir, then in PATH. If it is in neither, it stays unchanged.
func (c *Config) ProgramPath(name string) string {
	if strings.ContainsRune(name, filepath.Separator) {
		return name
	}
	if beside := filepath.Join(c.EnginesDir, name); isProgram(beside) {
		return beside
	}
	if inPath, err := exec.LookPath(name); err == nil {
		return inPath
	}
	return name
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// applyModelEnv applies the Python gateway's variables for single models. The models
// have the names that they had there.
func (c *Config) applyModelEnv(env *modelEnv) error {
	edits := []struct {
		model, variables string
		path             func() (string, error)
	}{
		{"qwen", "QWEN_MODEL_PATH, QWEN_MODEL_ID", func() (string, error) { return c.qwenPath(env) }},
		{"whisper", "WHISPER_MODEL_PATH, WHISPER_MODEL_SIZE", func() (string, error) { return c.whisperPath(env), nil }},
		{"piper", "PIPER_MODEL_PATH, PIPER_VOICE", func() (string, error) { return c.piperPath(env), nil }},
		{"hubert", "HUBERT_MODEL_ID", func() (string, error) { return hubName(env.hubertID), nil }},
	}
	for _, e := range edits {
		path, err := e.path()
		if err != nil {
			return fmt.Errorf("environment variable %s: %w", e.variables, err)
		}
		if path == "" {
			continue
		}
		model, ok := c.Models[e.model]
		if !ok {
			c.Warnings = append(c.Warnings, fmt.Sprintf("environment variables %s are ignored: no model %q is configured", e.variables, e.model))
			continue
		}
		model.Prefer = nil
		c.Models[e.model] = model.withPath(path)
	}
	return nil
}

// qwenPath prefers a path that exists to a name, and a name to a path that does not
// exist: the Python gateway's example sets both, and it downloaded missing files.
func (c *Config) qwenPath(env *modelEnv) (string, error) {
	if env.qwenPath != "" {
		if _, err := os.Stat(c.absolute(env.qwenPath)); err == nil || env.qwenID == "" {
			return env.qwenPath, nil
		}
	}
	if env.qwenID == "" {
		return "", nil
	}
	found := c.findByName(hubName(env.qwenID), ".gguf")
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", fmt.Errorf("%d files in %s match %q: %s; set QWEN_MODEL_PATH to one of them",
			len(found), c.ModelsDir, env.qwenID, strings.Join(baseNames(found), ", "))
	case env.qwenPath != "":
		return env.qwenPath, nil
	}
	return hubName(env.qwenID) + ".gguf", nil
}

func (c *Config) whisperPath(env *modelEnv) string {
	size := env.whisperSize
	if size == "" {
		size = "base"
	}
	file := "ggml-" + size + ".bin"
	switch {
	case env.whisperPath != "":
		if isDir(c.absolute(env.whisperPath)) {
			return filepath.Join(c.absolute(env.whisperPath), file)
		}
		return env.whisperPath
	case env.whisperSize != "":
		return filepath.Join("whisper", file)
	}
	return ""
}

func (c *Config) piperPath(env *modelEnv) string {
	if env.piperPath != "" {
		if env.piperVoice != "" && isDir(c.absolute(env.piperPath)) {
			return filepath.Join(c.absolute(env.piperPath), env.piperVoice+".onnx")
		}
		return env.piperPath
	}
	if env.piperVoice != "" {
		return filepath.Join("piper", env.piperVoice+".onnx")
	}
	return ""
}

// resolvePaths sets the absolute paths of the models. A directory with one GGUF file
// stands for that file.
func (c *Config) resolvePaths() {
	for name, m := range c.Models {
		if m.Path == "" {
			continue
		}
		if file, ok := strings.CutPrefix(m.Path, StarterScheme); ok {
			m.ResolvedPath = filepath.Join(c.starterDir(), filepath.Base(file))
		} else {
			m.ResolvedPath = c.absolute(m.Path)
		}
		if bundled.NameOf(c.Engines[m.Engine].Command) == bundled.Llama && isDir(m.ResolvedPath) {
			if files := gguffile.InFolder(m.ResolvedPath); len(files) == 1 {
				m.ResolvedPath = files[0]
			}
		}
		c.Models[name] = m
	}
}

// absolute resolves a path against the models directory, or if the file exists only
// there, against the working directory, as the Python gateway did, or DataDir.
func (c *Config) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	inModels, err := filepath.Abs(filepath.Join(c.ModelsDir, path))
	if err != nil {
		return path
	}
	candidates := []string{inModels}
	if here, err := filepath.Abs(path); err == nil {
		candidates = append(candidates, here)
	}
	if c.DataDir != "" {
		candidates = append(candidates, filepath.Join(c.DataDir, path))
	}
	for _, candidate := range candidates {
		if exists(candidate) {
			return candidate
		}
	}
	return inModels
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// findByName returns the files of the models directory with the given name. If there
// is none, it returns those whose name continues with a dash, an underscore or a dot,
// such as "Qwen3-1.7B-Q8_0.gguf" for "Qwen3-1.7B".
func (c *Config) findByName(name, extension string) []string {
	var found []string
	for _, pattern := range []string{"*" + extension, filepath.Join("*", "*"+extension)} {
		files, _ := filepath.Glob(filepath.Join(c.ModelsDir, pattern))
		for _, file := range files {
			base := strings.ToLower(strings.TrimSuffix(filepath.Base(file), extension))
			rest, ok := strings.CutPrefix(base, strings.ToLower(name))
			if !ok || rest != "" && !strings.ContainsRune("-_.", rune(rest[0])) {
				continue
			}
			abs, err := filepath.Abs(file)
			if err != nil {
				continue
			}
			if rest == "" {
				return []string{abs}
			}
			found = append(found, abs)
		}
	}
	slices.Sort(found)
	return found
}

// hubName returns the last part of a model's name on a hub: "Qwen3-1.7B" of
// "Qwen/Qwen3-1.7B".
func hubName(id string) string { return id[strings.LastIndex(id, "/")+1:] }

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func baseNames(paths []string) []string {
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = filepath.Base(p)
	}
	return names
}
