package doctor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// checkEngines starts each engine that a configured model needs and asks for its
// description. It returns the descriptions of those that started, by engine name.
func checkEngines(ctx context.Context, cfg *config.Config, report func(...Finding)) (map[string]*enginev1.DescribeResponse, error) {
	host, err := worker.NewHost(worker.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), NoCgroups: true, Private: cfg.Private()})
	if err != nil {
		report(fail("engines", "Set TMPDIR to a directory that this user can write and whose path is short; workers put their sockets there.", "%s", oneLine(err)))
		return nil, nil
	}
	defer func() { _ = host.Close() }()
	described := map[string]*enginev1.DescribeResponse{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Engines)) {
		models := modelsOf(cfg, name)
		if len(models) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		finding, description := checkEngine(ctx, host, cfg, name, models)
		if description != nil {
			described[name] = description
		}
		report(finding)
	}
	return described, nil
}

func checkEngine(ctx context.Context, host worker.Launcher, cfg *config.Config, name string, models []string) (Finding, *enginev1.DescribeResponse) {
	check := "engine " + name
	engine := cfg.Engines[name]
	if cfg.InProcess(name) {
		return ok(check, "built in; runs in the server process"), nil
	}
	spec := worker.Spec{Model: "doctor", Engine: name, Command: cfg.EngineCommand(name), Env: engine.Environ(), Rights: engine.Rights()}
	if spec.CheckProgram() != nil {
		return missingEngine(cfg, check, engine.Command[0], models), nil
	}
	program := spec.Command[0]
	w, err := host.Launch(ctx, spec)
	if err != nil {
		why := errs.From(err).Message()
		if words := worker.LastOutput(err); words != "" {
			why += "; it printed: " + words
		}
		remedy := `Run "make build" again; docs/building.md lists the native libraries that engines need.`
		if strings.Contains(strings.ToLower(why), "permission denied") {
			remedy = fmt.Sprintf("Workers may read only their program's and their model's folders: name others in engines.%s.read_paths.", name)
		}
		return fail(check, remedy, "%s does not start: %s", program, why), nil
	}
	description := w.Description()
	w.Stop(0)
	<-w.Done()
	detail := fmt.Sprintf("%s %s", program, description.GetVersion())
	for _, lib := range slices.Sorted(maps.Keys(description.GetLibraries())) {
		detail += fmt.Sprintf(", %s %s", lib, description.GetLibraries()[lib])
	}
	return ok(check, "%s; devices %s", detail, strings.Join(description.GetDevices(), ", ")), description
}

// missingEngine returns FAIL if the file of one of the engine's models exists,
// and WARN otherwise: without a file, the engine is probably not wanted.
func missingEngine(cfg *config.Config, check, program string, models []string) Finding {
	detail := fmt.Sprintf("the program %s was not found; requests to its models (%s) fail with ENGINE_UNAVAILABLE", program, strings.Join(models, ", "))
	for _, name := range models {
		m := cfg.Models[name]
		if m.ResolvedPath == "" {
			continue
		}
		if _, err := os.Stat(m.ResolvedPath); err == nil || strings.HasPrefix(m.Path, config.StarterScheme) {
			return fail(check, `Run "make build", or set --engines-dir to the directory of the engine programs.`, "%s", detail)
		}
	}
	return warn(check, "Ignore this if you do not need these models.", "%s", detail)
}

// modelsOf returns the names of the models that the engine runs.
func modelsOf(cfg *config.Config, engine string) []string {
	var names []string
	for _, name := range cfg.ModelOrder {
		if m := cfg.Models[name]; m.Engine == engine && m.Absent == "" {
			names = append(names, name)
		}
	}
	return names
}

// checkDevice checks whether the engines can use the configured device.
func checkDevice(cfg *config.Config, engines map[string]*enginev1.DescribeResponse) Finding {
	var without, available []string
	for _, name := range slices.Sorted(maps.Keys(engines)) {
		devices := engines[name].GetDevices()
		available = append(available, fmt.Sprintf("%s: %s", name, strings.Join(devices, ", ")))
		if cfg.Device != "auto" && !slices.Contains(devices, cfg.Device) && !cfg.Engines[name].Cloud {
			without = append(without, name)
		}
	}
	switch {
	case len(engines) == 0:
		return warn("device", "Correct the engines first.", "%s; the available devices are unknown because no engine started", cfg.Device)
	case len(without) > 0:
		return fail("device", "Set MODEL_DEVICE=auto, or install what the device needs.",
			"%s is not available to %s (available: %s)", cfg.Device, strings.Join(without, ", "), strings.Join(available, "; "))
	}
	return ok("device", "%s (available: %s)", cfg.Device, strings.Join(available, "; "))
}
