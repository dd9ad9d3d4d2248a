package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// checkEngines starts every engine that a configured model needs and asks what
// it is. It returns what the ones that answered said, by name.
func checkEngines(ctx context.Context, cfg *config.Config, tell func(...finding)) (map[string]*enginev1.DescribeResponse, error) {
	host, err := worker.NewHost(worker.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), NoCgroups: true})
	if err != nil {
		tell(fail("engines", "Workers need a temporary folder of a short name: set TMPDIR.", "%s", oneLine(err)))
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
		f, desc := checkEngine(ctx, host, cfg, name, models)
		if desc != nil {
			described[name] = desc
		}
		tell(f)
	}
	return described, nil
}

func checkEngine(ctx context.Context, host worker.Launcher, cfg *config.Config, name string, models []string) (finding, *enginev1.DescribeResponse) {
	check := "engine " + name
	engine := cfg.Engines[name]
	if cfg.InProcess(name) {
		return ok(check, "built in; it runs in the gateway's own process"), nil
	}
	program, err := locate(engine.Command[0], cfg.EnginesDir)
	if err != nil {
		return absentEngine(cfg, check, engine.Command[0], models), nil
	}
	spec := worker.Spec{Model: "doctor", Engine: name, Command: append([]string{program}, engine.Command[1:]...)}
	for _, key := range slices.Sorted(maps.Keys(engine.Env)) {
		spec.Env = append(spec.Env, key+"="+engine.Env[key])
	}
	w, err := host.Launch(ctx, spec)
	if err != nil {
		why := errs.From(err).Message()
		if words := worker.LastOutput(err); words != "" {
			why += "; it printed: " + words
		}
		return fail(check, "Run \"make build\" again, or see docs/building.md for the native libraries.", "%s does not start: %s", program, why), nil
	}
	desc := w.Description()
	w.Stop(0)
	<-w.Done()
	detail := fmt.Sprintf("%s %s", program, desc.GetVersion())
	for _, lib := range slices.Sorted(maps.Keys(desc.GetLibraries())) {
		detail += fmt.Sprintf(", %s %s", lib, desc.GetLibraries()[lib])
	}
	return ok(check, "%s; devices %s", detail, strings.Join(desc.GetDevices(), ", ")), desc
}

// absentEngine fails where a model lies ready for the engine, and warns where
// nothing does.
func absentEngine(cfg *config.Config, check, program string, models []string) finding {
	detail := fmt.Sprintf("there is no program %s; the models %s answer ENGINE_UNAVAILABLE", program, strings.Join(models, ", "))
	for _, name := range models {
		m := cfg.Models[name]
		if m.ResolvedPath == "" {
			continue
		}
		if _, err := os.Stat(m.ResolvedPath); err == nil || strings.HasPrefix(m.Path, config.StarterScheme) {
			return fail(check, "Run \"make build\", or set --engines-dir to where the engines are.", "%s", detail)
		}
	}
	return warn(check, "Nothing to do if those tasks are not needed.", "%s", detail)
}

// modelsOf lists the models that an engine would run.
func modelsOf(cfg *config.Config, engine string) []string {
	var names []string
	for _, name := range cfg.ModelOrder {
		if m := cfg.Models[name]; m.Engine == engine && m.Absent == "" {
			names = append(names, name)
		}
	}
	return names
}

// locate finds a program as the server does: in the engines' folder, then in
// PATH; a name with a slash is a path.
func locate(program, dir string) (string, error) {
	if strings.ContainsRune(program, filepath.Separator) {
		return exec.LookPath(program)
	}
	if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
		return path, nil
	}
	return exec.LookPath(program)
}

// checkDevice tells whether the engines can use the device that is asked for.
func checkDevice(cfg *config.Config, engines map[string]*enginev1.DescribeResponse) finding {
	var lacking, offered []string
	for _, name := range slices.Sorted(maps.Keys(engines)) {
		devices := engines[name].GetDevices()
		offered = append(offered, fmt.Sprintf("%s: %s", name, strings.Join(devices, ", ")))
		if cfg.Device != "auto" && !slices.Contains(devices, cfg.Device) && !cfg.Engines[name].Cloud {
			lacking = append(lacking, name)
		}
	}
	switch {
	case len(engines) == 0:
		return warn("device", "Make an engine start first.", "%s; no engine tells its devices", cfg.Device)
	case len(lacking) > 0:
		return fail("device", "Set MODEL_DEVICE=auto, or install what the device needs.",
			"%s is not there for %s (%s)", cfg.Device, strings.Join(lacking, ", "), strings.Join(offered, "; "))
	}
	return ok("device", "%s (%s)", cfg.Device, strings.Join(offered, "; "))
}
