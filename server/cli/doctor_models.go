package cli

import (
	"context"
	"os"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/bundled"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/models"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// checkModels tells of each local model whether its file is there, can be read
// and fits. engines are those that answered.
func checkModels(ctx context.Context, cfg *config.Config, engines map[string]*enginev1.DescribeResponse) []finding {
	if f := unpackStarter(cfg); f != nil {
		return []finding{*f}
	}
	var findings []finding
	for _, name := range cfg.ModelOrder {
		if ctx.Err() != nil {
			break
		}
		m := cfg.Models[name]
		if m.ResolvedPath == "" || cfg.Engines[m.Engine].Cloud {
			continue
		}
		_, runs := engines[m.Engine]
		findings = append(findings, checkModel(cfg, name, m, runs))
	}
	return findings
}

// unpackStarter puts the models that ship with the program on disk, as a server
// does.
func unpackStarter(cfg *config.Config) *finding {
	if !cfg.UsesStarter() {
		return nil
	}
	files, err := models.Extract(cfg.StarterDir())
	if err == nil {
		err = cfg.ResolveStarter(files)
	}
	if err == nil {
		return nil
	}
	f := fail("starter models", "Give the state directory room and this user the right to write there, or name another with --state-dir.", "%s", oneLine(err))
	return &f
}

// checkModel fails for what an engine that runs could not load, and only warns
// where the engine is absent too.
func checkModel(cfg *config.Config, name string, m config.Model, engineRuns bool) finding {
	check := "model " + name
	command := cfg.Engines[m.Engine].Command
	estimate, err := estimateModel(m, command)
	if err == nil {
		err = checkFiles(m, command)
	}
	switch errs.ReasonOf(err) {
	case errs.ModelFileMissing:
		remedy := strings.TrimSpace(published(bundled.NameOf(command)) + " Put it there, or give its path in the configuration.")
		if tasks := cfg.ModelTasks(name); len(tasks) > 0 {
			remedy += " It is for " + strings.Join(tasks, ", ") + "."
		}
		detail := m.ResolvedPath + ": " + errs.From(err).Message()
		if !engineRuns {
			return warn(check, remedy, "%s", detail)
		}
		return fail(check, remedy, "%s", detail)
	case 0:
	default:
		return fail(check, "Give this user the right to read it, or fetch it again.", "%s: %s", m.ResolvedPath, errs.From(err).Message())
	}
	need, source := m.MemoryMB<<20, "declared"
	if need == 0 {
		need, source = estimate, "estimated"
	}
	if need > cfg.MemoryBudgetBytes() {
		return fail(check, "Raise MAX_MEMORY_MB, take a smaller quantisation, or lower its context size.",
			"%s: %s %s is more than the whole budget of %s", m.ResolvedPath, size(need), source, size(cfg.MemoryBudgetBytes()))
	}
	return ok(check, "%s: %s %s", m.ResolvedPath, size(need), source)
}

// estimateModel reads the file's header and computes the model's memory.
func estimateModel(m config.Model, command []string) (int64, error) {
	if err := openable(m.ResolvedPath); err != nil {
		return 0, err
	}
	parameters, err := structpb.NewStruct(m.Parameters)
	if err != nil {
		return 0, errs.New(errs.InvalidRequest, "its parameters: %v", err)
	}
	return bundled.EstimateMemory(command, footprint.Model{
		Path: m.ResolvedPath, Parameters: parameters, MaxConcurrency: m.MaxConcurrency,
	})
}

// openable tells whether a file or folder is there and can be read.
func openable(path string) error {
	f, err := os.Open(path)
	switch {
	case os.IsNotExist(err):
		return errs.New(errs.ModelFileMissing, "it does not exist").WithCause(err)
	case err != nil:
		return errs.New(errs.ModelFileInvalid, "it cannot be read: %v", err).WithCause(err)
	}
	return f.Close()
}
