package doctor

import (
	"context"
	"os"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/bundled"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
	"github.com/lexilingo/modelgateway/engines/llama/gguffile"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// checkModels checks whether the file of each local model exists, is readable and fits
// in the budget. engines are those that started. The configuration's own check has read
// the parameters.
func checkModels(ctx context.Context, cfg *config.Config, engines map[string]*enginev1.DescribeResponse) []Finding {
	if err := cfg.UnpackStarter(); err != nil {
		return []Finding{fail("starter models", "Check that the state directory is writable and has free space, or choose another with --state-dir.", "%s", oneLine(err))}
	}
	var findings []Finding
	for _, name := range cfg.ModelOrder {
		if ctx.Err() != nil {
			break
		}
		m := cfg.Models[name]
		if m.ResolvedPath == "" || cfg.Engines[m.Engine].Cloud {
			continue
		}
		_, started := engines[m.Engine]
		findings = append(findings, checkModel(cfg, name, m, started))
	}
	return findings
}

// checkModel returns WARN instead of FAIL for a missing file if the engine did not
// start either.
func checkModel(cfg *config.Config, name string, m config.Model, engineStarted bool) Finding {
	check := "model " + name
	command := cfg.Engines[m.Engine].Command
	model, err := modelOf(m)
	if err != nil {
		return fail(check, "Correct models."+name+".parameters in the configuration.", "%s", errs.From(err).Message())
	}
	estimate, err := estimateModel(model, command)
	if err == nil {
		err = checkFiles(m, command)
	}
	switch errs.ReasonOf(err) {
	case errs.ModelFileMissing:
		detail := m.ResolvedPath + ": " + errs.From(err).Message()
		remedy := missingFileRemedy(bundled.NameOf(command), cfg.ModelTasks(name))
		if !engineStarted {
			return warn(check, remedy, "%s", detail)
		}
		return fail(check, remedy, "%s", detail)
	case 0:
	default:
		return fail(check, "Give this user read access to the file, or download it again.", "%s: %s", m.ResolvedPath, errs.From(err).Message())
	}
	need, source := m.MemoryMB<<20, "declared"
	if need == 0 {
		need, source = estimate, "estimated"
	}
	if need > cfg.MemoryBudgetBytes() {
		return fail(check, "Raise MAX_MEMORY_MB, use a smaller quantisation, or lower the model's context size.",
			"%s: needs %s (%s), more than the whole budget of %s", m.ResolvedPath, formatBytes(need), source, formatBytes(cfg.MemoryBudgetBytes()))
	}
	if withoutTemplate(m, command) {
		return warn(check, "Use a model that was trained to chat (an instruct model), or set its parameter chat_template.",
			"%s: has no chat template, so it is usually a model that continues text; needs %s (%s)", m.ResolvedPath, formatBytes(need), source)
	}
	unknown := ""
	if bundled.NameOf(command) == "" && len(m.Parameters) > 0 {
		unknown = "; its engine checks the parameters when it loads the model"
	}
	return ok(check, "%s: needs %s (%s)%s", m.ResolvedPath, formatBytes(need), source, unknown)
}

// withoutTemplate reports whether a model is a chat model without a chat template.
func withoutTemplate(m config.Model, command []string) bool {
	if bundled.NameOf(command) != bundled.Llama || m.Parameters["chat_template"] != nil {
		return false
	}
	header, err := gguffile.Read(m.ResolvedPath)
	return err == nil && !header.ChatTemplate
}

func missingFileRemedy(engine string, tasks []string) string {
	remedy := strings.TrimSpace(downloadAdvice(engine) + " Put the file there, or change the model's path in the configuration.")
	if len(tasks) > 0 {
		remedy += " Tasks that use the model: " + strings.Join(tasks, ", ") + "."
	}
	return remedy
}

// modelOf returns what the checks of a model depend on.
func modelOf(m config.Model) (footprint.Model, error) {
	parameters, err := structpb.NewStruct(m.Parameters)
	if err != nil {
		return footprint.Model{}, errs.New(errs.InvalidRequest, "invalid parameters: %v", err)
	}
	return footprint.Model{Path: m.ResolvedPath, Parameters: parameters, MaxConcurrency: m.MaxConcurrency}, nil
}

// estimateModel estimates the memory of a model from the header of its file.
func estimateModel(m footprint.Model, command []string) (int64, error) {
	if err := checkReadable(m.Path); err != nil {
		return 0, err
	}
	return bundled.EstimateMemory(command, m)
}

// checkReadable checks whether a file or directory exists and can be opened.
func checkReadable(path string) error {
	f, err := os.Open(path)
	switch {
	case os.IsNotExist(err):
		return errs.New(errs.ModelFileMissing, "does not exist").WithCause(err)
	case err != nil:
		return errs.New(errs.ModelFileInvalid, "cannot be read: %v", err).WithCause(err)
	}
	return f.Close()
}
