package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fatih/color"

	"github.com/lexilingo/modelgateway/server/internal/doctor"
)

type doctorCommand struct {
	serverFlags
}

// Run prints what the doctor finds for a server with these settings. The server
// need not run.
func (d doctorCommand) Run(ctx context.Context, g *globals, con *console) error {
	ctx, cancel := g.deadline(ctx)
	defer cancel()
	var findings []doctor.Finding
	report := func(found ...doctor.Finding) {
		findings = append(findings, found...)
		if !g.JSON {
			printFindings(con, found)
		}
	}
	cfg, err := d.load()
	if err != nil {
		report(doctor.InvalidConfiguration(err))
	} else if err := doctor.Check(ctx, cfg, g.APIKey, report); err != nil {
		return err
	}
	return summarize(con, g, findings)
}

func printFindings(con *console, findings []doctor.Finding) {
	paints := map[doctor.Level]func(string) string{
		doctor.OK:   con.paint(con.outTTY, color.FgGreen),
		doctor.Warn: con.paint(con.outTTY, color.FgYellow),
		doctor.Fail: con.paint(con.outTTY, color.FgRed, color.Bold),
	}
	for _, f := range findings {
		fmt.Fprintf(con.out, "%s %-16s %s\n", paints[f.Level](fmt.Sprintf("%-4s", f.Level)), f.Check, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(con.out, "%21s → %s\n", "", f.Remedy)
		}
	}
}

// summarize prints the number of findings by level, with --json the findings
// themselves too. It returns an error if a check failed.
func summarize(con *console, g *globals, findings []doctor.Finding) error {
	count := map[doctor.Level]int{}
	for _, f := range findings {
		count[f.Level]++
	}
	if g.JSON {
		encoder := json.NewEncoder(con.out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(map[string]any{"findings": findings, "failed": count[doctor.Fail], "warned": count[doctor.Warn]}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(con.out, "\n%d ok, %d warnings, %d failed\n", count[doctor.OK], count[doctor.Warn], count[doctor.Fail])
	}
	if count[doctor.Fail] > 0 {
		return errReported
	}
	return nil
}
