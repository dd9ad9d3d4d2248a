package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/procfs"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

func checkConfiguration(cfg *config.Config) []Finding {
	var findings []Finding
	if len(cfg.Tasks) > 0 { // else a warning says so
		findings = append(findings, ok("configuration", "%d models, %d tasks", len(cfg.Models), len(cfg.Tasks)))
	}
	for _, w := range cfg.Warnings {
		findings = append(findings, warn("configuration", "", "%s", w))
	}
	return findings
}

// checkDirectories checks that the state directory is writable and the models
// directory readable.
func checkDirectories(cfg *config.Config) []Finding {
	state := ok("state directory", "%s is writable", cfg.StateDir)
	if err := checkWritable(cfg.StateDir); err != nil {
		state = fail("state directory", "Give this user write access, or choose another directory with --state-dir.", "%s", oneLine(err))
	}
	dir, err := filepath.Abs(cfg.ModelsDir)
	if err != nil {
		dir = cfg.ModelsDir
	}
	models := ok("models directory", "%s is readable", dir)
	switch _, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		models = warn("models directory", "Create it and put models there, or choose another with --models-dir. The starter models do not need it.", "%s does not exist", dir)
	case err != nil:
		models = fail("models directory", "Give this user read access, or choose another directory with --models-dir.", "%s", oneLine(err))
	}
	return []Finding{state, models}
}

// checkWritable creates and removes a file in the directory, or in its nearest
// parent that exists.
func checkWritable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
			dir = filepath.Dir(dir)
			continue
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		break
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// checkMemory compares the budget with the memory that is available now.
func checkMemory(cfg *config.Config) Finding {
	budget := cfg.MemoryBudgetBytes()
	available, err := availableBytes()
	switch {
	case err != nil:
		return warn("memory", "", "the budget is %s; cannot read how much memory is available: %s", formatBytes(budget), oneLine(err))
	case available < budget:
		return warn("memory", "Lower MAX_MEMORY_MB, or stop other programs. Otherwise models may not load although the budget allows them.",
			"the budget is %s, but the machine has only %s available", formatBytes(budget), formatBytes(available))
	}
	return ok("memory", "the budget is %s, the machine has %s available", formatBytes(budget), formatBytes(available))
}

// availableBytes returns how much memory programs can allocate without swapping.
func availableBytes() (int64, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, err
	}
	info, err := proc.Meminfo()
	if err != nil {
		return 0, err
	}
	if info.MemAvailableBytes == nil {
		return 0, errors.New("the kernel does not report MemAvailable")
	}
	return int64(*info.MemAvailableBytes), nil
}

// checkAPIKey checks whether there is a key. It never prints the key.
func checkAPIKey(cfg *config.Config) Finding {
	if cfg.Gemini.APIKey == "" {
		return warn("GEMINI_API_KEY", "Set it, or GEMINI_API_KEY_FILE, if Gemini may answer when this machine cannot. Without it, no data leaves this machine.", "not set: there is no cloud fallback")
	}
	if file := cfg.Gemini.APIKeyFile; file != "" {
		return ok("GEMINI_API_KEY", "read from %s (not verified with Google)", file)
	}
	return ok("GEMINI_API_KEY", "set (not verified with Google); a file is safer: GEMINI_API_KEY_FILE")
}

func formatBytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
