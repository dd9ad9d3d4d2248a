package cli

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/pull"
)

// pullProgress shows the progress of a download: on one line of a terminal,
// otherwise as a line for each step.
type pullProgress struct {
	con   *console
	json  bool
	quiet bool // only downloads are shown
	model catalog.Model
	drawn bool
	step  string // printed last
}

func (p *pullProgress) begin(model catalog.Model) {
	p.model, p.step = model, ""
	if !p.json && !p.quiet && model.License.Name != "" {
		fmt.Fprintf(p.con.err, "%s: about %s, licence %s\n", model.Name, size(model.SizeBytes()), model.License.Name)
	}
}

// pullStep is a step of the progress in JSON.
type pullStep struct {
	Model      string `json:"model"`
	File       string `json:"file"`
	Phase      string `json:"phase"`
	DoneBytes  int64  `json:"done_bytes"`
	TotalBytes int64  `json:"total_bytes"`
}

func (p *pullProgress) show(at pull.Progress) {
	fraction := 1.0
	if at.Total > 0 {
		fraction = float64(at.Done) / float64(at.Total)
	}
	// In a log file, one line for every tenth is enough.
	step := fmt.Sprintf("%s %s %d%%", at.Phase, at.File, int(fraction*10)*10)
	switch {
	case p.quiet && at.Phase != pull.Downloading:
	case p.json:
		if step != p.step {
			// The result follows on the same stream, and its write error is reported.
			_ = writeJSONValue(p.con.out, pullStep{p.model.Name, at.File, at.Phase, at.Done, at.Total})
		}
	case p.con.errTTY:
		full := int(fraction * progressBarWidth)
		fmt.Fprintf(p.con.err, "\r\x1b[K[%s%s] %3.0f%% %s %s, %s of %s", strings.Repeat("█", full), strings.Repeat("·", progressBarWidth-full),
			100*fraction, at.Phase, at.File, sizeOrZero(at.Done), size(at.Total))
		p.drawn = true
	case step != p.step:
		fmt.Fprintln(p.con.err, step)
	}
	p.step = step
}

// notice prints a message beside the progress.
func (p *pullProgress) notice(message string) {
	p.clear()
	if !p.json {
		fmt.Fprintln(p.con.err, message)
	}
}

func (p *pullProgress) clear() {
	if p.drawn {
		fmt.Fprint(p.con.err, "\r\x1b[K")
		p.drawn = false
	}
}

// pullable is a model in the JSON of the list.
type pullable struct {
	Name      string   `json:"name"`
	Aliases   []string `json:"aliases"`
	Task      string   `json:"task"`
	Engine    string   `json:"engine"`
	SizeBytes int64    `json:"size_bytes"`
	MemoryMB  int64    `json:"memory_mb"`
	Languages []string `json:"languages"`
	License   string   `json:"license"`
	Source    string   `json:"source"`
	Note      string   `json:"note"`
	Trust     bool     `json:"trust_on_first_use,omitempty"`
	Installed bool     `json:"installed"`
	PartBytes int64    `json:"part_bytes"`
}

// listPullable prints the published models.
func listPullable(w io.Writer, list *catalog.Catalog, cfg *config.Config, asJSON bool) error {
	var rows []pullable
	for _, m := range list.Models {
		installed, part := pull.Installed(cfg.ModelsDir, m)
		rows = append(rows, pullable{
			Name: m.Name, Aliases: m.Aliases, Task: m.Task, Engine: m.Engine, SizeBytes: m.SizeBytes(), MemoryMB: m.MemoryMB,
			Languages: m.Languages, License: m.License.Name, Source: pull.DefaultEndpoint + "/" + m.Repo, Note: m.Note, Trust: m.TrustOnFirstUse,
			Installed: installed, PartBytes: part,
		})
	}
	if asJSON {
		return writeJSONValue(w, map[string]any{"models_dir": cfg.ModelsDir, "models": rows})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tTASK\tSIZE\tMEMORY\tLANGUAGES\tLICENCE\tINSTALLED")
	var untrusted []string
	for _, r := range rows {
		if r.Trust {
			untrusted = append(untrusted, r.Name)
		}
		state := "-"
		switch {
		case r.Installed:
			state = "yes"
		case r.PartBytes > 0:
			state = "partly, " + size(r.PartBytes)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Task, size(r.SizeBytes), size(r.MemoryMB<<20),
			strings.Join(r.Languages, " "), r.License, state)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nSizes and memory are approximate. \"modelgateway pull NAME\" downloads a model to %s.\n", cfg.ModelsDir)
	if len(untrusted) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "No checksum is known of %s: the first download needs --trust-on-first-use.\n", strings.Join(untrusted, ", "))
	return err
}

// envSuffices reports whether environment variables are enough to make the server
// use a model. They change the path of a configured model but not its memory_mb,
// which may be too small for the new file.
func envSuffices(m catalog.Model, cfg *config.Config) bool {
	configured, ok := cfg.Models[m.Configure.Model]
	starter := strings.HasPrefix(configured.Path, config.StarterScheme)
	return len(m.Configure.Env) > 0 && ok && configured.Engine == m.Engine &&
		(starter || configured.MemoryMB == 0 || configured.MemoryMB >= m.MemoryMB)
}

// entry returns the configuration of a model, as in the configuration file.
func entry(m catalog.Model) map[string]any {
	e := map[string]any{"engine": m.Engine, "path": m.Configure.Path, "memory_mb": m.MemoryMB}
	if len(m.Configure.Parameters) > 0 {
		e["parameters"] = m.Configure.Parameters
	}
	return e
}

// writeUse prints the settings that make "serve" use the models. serves is what it
// does without any.
func writeUse(w io.Writer, pulled []catalog.Model, cfg, serves *config.Config) error {
	dir, err := filepath.Abs(cfg.ModelsDir)
	if err != nil {
		return err
	}
	var variables, used []string
	var entries []catalog.Model
	for _, m := range pulled {
		if m.Configure.Model == "" {
			fmt.Fprintf(w, "\nTo use it, write \"path: %s\" into a model of the configuration file.\n", m.Configure.Path)
			continue
		}
		if serves.Models[m.Configure.Model].ResolvedPath == filepath.Join(dir, filepath.FromSlash(m.Configure.Path)) {
			used = append(used, m.Name)
			continue
		}
		if !envSuffices(m, cfg) {
			entries = append(entries, m)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(m.Configure.Env)) {
			variables = append(variables, name+"="+m.Configure.Env[name])
		}
	}
	for _, m := range pulled {
		if m.Note != "" {
			fmt.Fprintf(w, "\n%s: %s\n", m.Name, m.Note)
		}
	}
	if len(used) > 0 {
		fmt.Fprintf(w, "\n\"modelgateway serve\" uses %s from its next start.\n", strings.Join(used, ", "))
	}
	if len(entries) > 0 {
		fmt.Fprint(w, "\nTo use it, add this to \"models\" in the configuration file (which replaces all built-in models: keep those that you need):\n\n")
		for _, m := range entries {
			writeEntry(w, m)
		}
	}
	if len(variables) > 0 {
		serve := "modelgateway serve --models-dir " + shellWord(dir)
		fmt.Fprintf(w, "\nTo use it:\n\n  export %s\n  %s\n", strings.Join(variables, "\n  export "), serve)
	}
	return nil
}

func writeEntry(w io.Writer, m catalog.Model) {
	fmt.Fprintf(w, "  %s:\n    engine: %s\n    path: %s\n", m.Configure.Model, m.Engine, m.Configure.Path)
	if len(m.Configure.Parameters) == 0 {
		fmt.Fprintf(w, "    memory_mb: %d\n", m.MemoryMB)
		return
	}
	fmt.Fprintln(w, "    parameters:")
	for _, name := range slices.Sorted(maps.Keys(m.Configure.Parameters)) {
		fmt.Fprintf(w, "      %s: %v\n", name, m.Configure.Parameters[name])
	}
}

// shellWord quotes text that a shell would split or expand.
func shellWord(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+:@,"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
