package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fatih/color"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// Levels of a finding.
const (
	levelOK   = "OK"
	levelWarn = "WARN"
	levelFail = "FAIL"
)

// finding is the result of one check.
type finding struct {
	Level  string `json:"level"`
	Check  string `json:"check"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

func ok(check, format string, args ...any) finding {
	return finding{Level: levelOK, Check: check, Detail: fmt.Sprintf(format, args...)}
}

func warn(check, remedy, format string, args ...any) finding {
	return finding{Level: levelWarn, Check: check, Remedy: remedy, Detail: fmt.Sprintf(format, args...)}
}

func fail(check, remedy, format string, args ...any) finding {
	return finding{Level: levelFail, Check: check, Remedy: remedy, Detail: fmt.Sprintf(format, args...)}
}

type doctorCommand struct {
	serverFlags
}

// Run checks everything that a server with these settings needs, without one.
func (d doctorCommand) Run(ctx context.Context, g *globals, con *console) error {
	ctx, cancel := g.deadline(ctx)
	defer cancel()
	var findings []finding
	tell := func(found ...finding) {
		findings = append(findings, found...)
		if !g.JSON {
			printFindings(con, found)
		}
	}
	cfg, err := d.load()
	if err != nil {
		tell(fail("configuration", "Correct what is named; docs/configuration.md has every key.", "%s", oneLine(err)))
	} else {
		tell(checkConfiguration(cfg)...)
		if err := checkMachine(ctx, cfg, tell); err != nil {
			return err
		}
	}
	return conclude(con, g, findings)
}

// checkMachine runs the checks that need a configuration, in the order in which
// a failure explains the ones after it.
func checkMachine(ctx context.Context, cfg *config.Config, tell func(...finding)) error {
	tell(checkDirectories(cfg)...)
	tell(checkMemory(cfg)...)
	engines, err := checkEngines(ctx, cfg, tell)
	if err != nil {
		return err
	}
	tell(checkDevice(cfg, engines))
	tell(checkModels(ctx, cfg, engines)...)
	tell(checkKey(cfg))
	tell(checkPorts(ctx, cfg)...)
	return ctx.Err()
}

func printFindings(con *console, findings []finding) {
	paints := map[string]func(string) string{
		levelOK:   con.paint(con.outTTY, color.FgGreen),
		levelWarn: con.paint(con.outTTY, color.FgYellow),
		levelFail: con.paint(con.outTTY, color.FgRed, color.Bold),
	}
	for _, f := range findings {
		fmt.Fprintf(con.out, "%s %-16s %s\n", paints[f.Level](fmt.Sprintf("%-4s", f.Level)), f.Check, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(con.out, "%21s → %s\n", "", f.Remedy)
		}
	}
}

// conclude prints the sum and fails if anything did.
func conclude(con *console, g *globals, findings []finding) error {
	count := map[string]int{}
	for _, f := range findings {
		count[f.Level]++
	}
	if g.JSON {
		encoder := json.NewEncoder(con.out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(map[string]any{"findings": findings, "failed": count[levelFail], "warned": count[levelWarn]}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(con.out, "\n%d ok, %d warnings, %d failed\n", count[levelOK], count[levelWarn], count[levelFail])
	}
	if count[levelFail] > 0 {
		return errQuiet
	}
	return nil
}

func oneLine(err error) string { return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ") }
