package server

import (
	"fmt"
	"log/slog"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/bundled"
	"github.com/lexilingo/modelgateway/engines/footprint"
	"github.com/lexilingo/modelgateway/engines/gemini"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/router"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// modelSpecs converts the configured models to what the lifecycle manager takes.
func modelSpecs(cfg *config.Config) ([]lifecycle.ModelSpec, error) {
	var specs []lifecycle.ModelSpec
	for _, name := range cfg.ModelOrder {
		if cfg.Models[name].Absent != "" {
			continue
		}
		spec, err := modelSpec(cfg, name)
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

func modelSpec(cfg *config.Config, name string) (lifecycle.ModelSpec, error) {
	m, engine := cfg.Models[name], cfg.Engines[cfg.Models[name].Engine]
	parameters, err := structpb.NewStruct(m.Parameters)
	if err != nil {
		return lifecycle.ModelSpec{}, fmt.Errorf("models.%s.parameters: %w", name, err)
	}
	model := footprint.Model{Path: m.ResolvedPath, Parameters: parameters, MaxConcurrency: m.MaxConcurrency}
	spec := lifecycle.ModelSpec{
		Name:  name,
		Tasks: cfg.ModelTasks(name),
		Note:  m.Note,
		Worker: worker.Spec{
			Model:   name,
			Engine:  m.Engine,
			Command: cfg.EngineCommand(m.Engine),
			Env:     engine.Environ(),
			Rights:  engine.Rights(),
			Load: &enginev1.LoadRequest{
				ModelName:      name,
				Path:           m.ResolvedPath,
				Device:         cfg.Device,
				ThreadCount:    int32(m.Threads),        //nolint:gosec // a number of threads
				MaxConcurrency: int32(m.MaxConcurrency), //nolint:gosec // a number of requests
				Parameters:     parameters,
			},
		},
		DeclaredBytes:   m.MemoryMB << 20,
		Priority:        m.Priority.Proto(),
		IdleTimeout:     *m.IdleTimeout,
		Pinned:          m.Pinned,
		Threads:         m.Threads,
		MaxConcurrency:  m.MaxConcurrency,
		MaxQueue:        m.Queue,
		ProgressTimeout: m.ProgressTimeout,
		Fingerprint:     func() string { return footprint.Fingerprint(m.Engine, model) },
	}
	if cfg.InProcess(m.Engine) {
		if spec.DeclaredBytes == 0 {
			spec.DeclaredBytes = gemini.MemoryBytes
		}
		return spec, nil
	}
	program := spec.Worker
	spec.Estimate = func() (int64, error) {
		// A missing engine is the more important error, so check it first.
		if err := program.CheckProgram(); err != nil {
			return 0, err
		}
		if model.Path == "" {
			return 0, nil
		}
		return bundled.EstimateMemory(engine.Command, model)
	}
	return spec, nil
}

// builtIn returns the engines that run in the server's process, by name. This is
// the only place where the API key leaves the configuration.
func builtIn(cfg *config.Config, log *slog.Logger) map[string]func() engines.Engine {
	return map[string]func() engines.Engine{
		gemini.Name: func() engines.Engine {
			return gemini.New(gemini.Options{
				APIKey:  cfg.Gemini.APIKey,
				BaseURL: cfg.Gemini.BaseURL,
				Timeout: cfg.Gemini.Timeout,
				Retries: cfg.Gemini.Retries,
				Logger:  log,
			})
		},
	}
}

// routerModels converts the configured models to what the router takes.
func routerModels(cfg *config.Config) map[string]router.Model {
	out := map[string]router.Model{}
	for name, m := range cfg.Models {
		out[name] = router.Model{Cloud: cfg.Engines[m.Engine].Cloud, Absent: m.Absent, Warning: m.Warning}
	}
	return out
}

// routes returns the models that may answer each configured task, and the methods
// of the tasks that have no RPC.
func routes(cfg *config.Config) (candidates map[string][]string, methods map[string]string) {
	candidates, methods = map[string][]string{}, map[string]string{}
	for name, task := range cfg.Tasks {
		candidates[name] = task.Candidates()
		if task.Method != "" {
			methods[name] = task.Method
		}
	}
	return candidates, methods
}
