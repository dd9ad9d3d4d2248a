// Package doctor checks whether a machine can run the server with a given
// configuration: directories, memory, engines, models and listen addresses.
package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/lexilingo/modelgateway/internal/isolate"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// Level is the severity of a [Finding].
type Level string

// Levels of a finding.
const (
	OK   Level = "OK"
	Warn Level = "WARN"
	Fail Level = "FAIL"
)

// Finding is the result of one check.
type Finding struct {
	// Level is the severity.
	Level Level `json:"level"`
	// Check names what was checked.
	Check string `json:"check"`
	// Detail is the result, on one line.
	Detail string `json:"detail"`
	// Remedy is what the user can do about it; empty if there is nothing to do.
	Remedy string `json:"remedy,omitempty"`
}

func ok(check, format string, args ...any) Finding {
	return Finding{Level: OK, Check: check, Detail: fmt.Sprintf(format, args...)}
}

func warn(check, remedy, format string, args ...any) Finding {
	return Finding{Level: Warn, Check: check, Remedy: remedy, Detail: fmt.Sprintf(format, args...)}
}

func fail(check, remedy, format string, args ...any) Finding {
	return Finding{Level: Fail, Check: check, Remedy: remedy, Detail: fmt.Sprintf(format, args...)}
}

// InvalidConfiguration returns the finding for a configuration that does not
// load. No other check is possible then.
func InvalidConfiguration(err error) Finding {
	return fail("configuration", "Correct the settings named here; docs/configuration.md describes all of them.", "%s", oneLine(err))
}

// Check runs all checks and passes their findings to report, each as soon as it
// is known. The order is such that a failure explains the failures that follow
// it. apiKey is for a server that runs and whose callers need one. The error is that
// of ctx, if ctx ends before the last check.
func Check(ctx context.Context, cfg *config.Config, apiKey string, report func(...Finding)) error {
	report(checkConfiguration(cfg)...)
	report(checkDirectories(cfg)...)
	report(checkMemory(cfg))
	report(checkIsolation(cfg, isolate.Probe())...)
	engines, err := checkEngines(ctx, cfg, report)
	if err != nil {
		return err
	}
	report(checkDevice(cfg, engines))
	report(checkModels(ctx, cfg, engines)...)
	report(checkAPIKey(cfg))
	report(local{cfg, apiKey}.check(ctx)...)
	return ctx.Err()
}

func oneLine(err error) string { return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ") }
