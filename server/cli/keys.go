package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/internal/suggest"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

type keysCommand struct {
	Add    keysAddCommand    `cmd:"" help:"Make an API key and print it."`
	List   keysListCommand   `cmd:"" help:"List the API keys, without their secrets."`
	Revoke keysRevokeCommand `cmd:"" help:"Revoke an API key. Its calls end within 5 seconds."`
	Token  keysTokenCommand  `cmd:"" help:"Make an access token for an app from an API key. Needs no server."`
}

// keysFile says which file of keys a command changes.
type keysFile struct {
	Config   string  `short:"c" placeholder:"FILE" help:"Configuration file of the server, read for its file of keys."`
	StateDir *string `placeholder:"DIR" help:"State directory of the server."`
	KeysFile *string `placeholder:"FILE" help:"File of API keys. Default: that of the configuration, then keys.yaml in the state directory."`
}

// find returns the path of the file, and the server's configuration.
func (k keysFile) find() (string, *config.Config, error) {
	cfg, err := serverFlags{Config: k.Config, StateDir: k.StateDir, KeysFile: k.KeysFile}.load()
	if err != nil {
		return "", nil, usageError{err}
	}
	return cmp.Or(cfg.Auth.KeysFile, filepath.Join(cfg.StateDir, "keys.yaml")), cfg, nil
}

type keysAddCommand struct {
	keysFile

	Name        string             `arg:"" help:"Whose key it is. It appears in logs and metrics."`
	Role        []string           `help:"What the key allows: infer, observe, admin or metrics. Can be repeated." default:"infer"`
	Task        []string           `help:"Only these tasks. Can be repeated. Default: all."`
	Model       []string           `help:"Only these models. Can be repeated. Default: all."`
	Cloud       bool               `help:"Allow requests that leave this machine."`
	MaxPriority string             `help:"Highest priority of requests, also of those that leave it to the model: ${enum}." enum:"low,normal,high,critical" default:"normal"`
	Limit       map[string]float64 `placeholder:"NAME=N" help:"Limit of the key in place of the server's (limits.caller): requests_per_second, request_burst, tokens_per_minute, audio_in_seconds_per_minute or audio_out_seconds_per_minute. 0: none. Can be repeated."`
	Weight      int                `help:"Share of a busy model that the key gets, relative to the 1 of other callers: 1 to 100." default:"1"`
	Expires     span               `help:"The key ends after this time, such as 30d, 2w or 12h. Default: never." placeholder:"TIME"`
}

// Run adds a key and prints it.
func (k keysAddCommand) Run(g *globals, con *console) error {
	path, cfg, err := k.find()
	if err != nil {
		return err
	}
	for _, model := range k.Model {
		if _, ok := cfg.Models[model]; !ok {
			return usagef("no model %q is configured: --model needs a name that \"modelgateway models\" shows", model)
		}
	}
	for _, task := range k.Task {
		if known := knownTasks(cfg); !slices.Contains(known, engines.CanonicalTask(task)) {
			return usagef("no task is named %q: tasks are %s%s", task, strings.Join(known, ", "), suggest.DidYouMean(task, known))
		}
	}
	if k.Weight < 1 {
		return usagef("--weight is %d: it must be 1 to 100", k.Weight)
	}
	for name, value := range k.Limit {
		if err := config.CheckLimit(name, value); err != nil {
			return usagef("--limit: %s", err)
		}
	}
	now := time.Now()
	entry := &auth.Key{Name: k.Name, Tasks: k.Task, Models: k.Model, Cloud: k.Cloud, MaxPriority: config.Priority(k.MaxPriority), Limits: k.Limit, Weight: k.Weight}
	for _, role := range k.Role {
		entry.Roles = append(entry.Roles, auth.Role(role))
	}
	if k.Expires > 0 {
		entry.Expires = now.Add(time.Duration(k.Expires)).UTC().Truncate(time.Second)
	}
	key, err := auth.AddKey(path, entry, now)
	if err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(con.out).Encode(map[string]string{"name": k.Name, "id": entry.ID, "key": key, "file": path})
	}
	fmt.Fprintln(con.out, key)
	fmt.Fprintf(con.err, "The key is shown only now. Callers send it as \"Authorization: Bearer <key>\"; the command line reads MODELGATEWAY_API_KEY.\n")
	if cfg.Auth.KeysFile == "" {
		fmt.Fprintf(con.err, "Start the server with --keys-file %s (auth.keys_file): then every caller needs a key.\n", path)
	}
	return nil
}

// knownTasks returns the names of the built-in tasks and of those that the
// configuration adds, sorted.
func knownTasks(cfg *config.Config) []string {
	names := map[string]bool{}
	for _, task := range engines.Tasks() {
		names[task.Name] = true
	}
	for name := range cfg.Tasks {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

type keysListCommand struct{ keysFile }

// listedKey is a key in JSON.
type listedKey struct {
	ID          string             `json:"id"`
	Name        string             `json:"name"`
	Created     time.Time          `json:"created"`
	Expires     *time.Time         `json:"expires,omitempty"`
	Roles       []auth.Role        `json:"roles"`
	Tasks       []string           `json:"tasks,omitempty"`
	Models      []string           `json:"models,omitempty"`
	Cloud       bool               `json:"cloud"`
	MaxPriority string             `json:"max_priority"`
	Limits      map[string]float64 `json:"limits,omitempty"`
	Weight      int                `json:"weight"`
}

// Run lists the keys.
func (k keysListCommand) Run(g *globals, con *console) error {
	path, _, err := k.find()
	if err != nil {
		return err
	}
	keys, err := auth.ReadKeys(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listed := make([]listedKey, len(keys))
	for i, key := range keys {
		listed[i] = listedKey{
			ID: key.ID, Name: key.Name, Created: key.Created, Roles: key.Roles, Tasks: key.Tasks, Models: key.Models,
			Cloud: key.Cloud, MaxPriority: cmp.Or(string(key.MaxPriority), "normal"), Limits: key.Limits, Weight: max(1, key.Weight),
		}
		if !key.Expires.IsZero() {
			listed[i].Expires = &key.Expires
		}
	}
	if g.JSON {
		return json.NewEncoder(con.out).Encode(map[string][]listedKey{"keys": listed})
	}
	if len(listed) == 0 {
		fmt.Fprintf(con.out, "There are no keys in %s. \"modelgateway keys add NAME\" makes one.\n", path)
		return nil
	}
	w := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tID\tROLES\tTASKS\tMODELS\tCLOUD\tMAX PRIORITY\tWEIGHT\tLIMITS\tEXPIRES")
	for _, key := range listed {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", key.Name, key.ID, joined(key.Roles), orAll(key.Tasks), orAll(key.Models),
			map[bool]string{true: "yes", false: "no"}[key.Cloud], key.MaxPriority, key.Weight, limits(key.Limits), expiry(key.Expires, time.Now()))
	}
	return w.Flush()
}

func joined(roles []auth.Role) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return strings.Join(names, ",")
}

func orAll(names []string) string {
	if len(names) == 0 {
		return "all"
	}
	return strings.Join(names, ",")
}

// limits lists the limits of a key.
func limits(of map[string]float64) string {
	if len(of) == 0 {
		return "default"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		list = append(list, name+"="+strconv.FormatFloat(of[name], 'f', -1, 64))
	}
	return strings.Join(list, ",")
}

func expiry(t *time.Time, now time.Time) string {
	switch {
	case t == nil:
		return "never"
	case !now.Before(*t):
		return "expired"
	}
	return t.Format(time.RFC3339)
}

type keysRevokeCommand struct {
	keysFile

	Name string `arg:"" help:"Name or id of the key."`
}

// Run revokes a key.
func (k keysRevokeCommand) Run(g *globals, con *console) error {
	path, _, err := k.find()
	if err != nil {
		return err
	}
	revoked, err := auth.RevokeKey(path, k.Name)
	switch {
	case err != nil:
		return err
	case g.JSON:
		return json.NewEncoder(con.out).Encode(map[string]string{"name": revoked.Name, "id": revoked.ID})
	}
	_, err = fmt.Fprintf(con.out, "The key %s (%s) is revoked.\n", revoked.Name, revoked.ID)
	return err
}
