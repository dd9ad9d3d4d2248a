package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

type keysTokenCommand struct {
	Lifetime    time.Duration `help:"How long the token is valid, at most 1h." default:"10m"`
	Subject     string        `help:"For whom the token is, such as the id of a user of the app. It appears in the log." placeholder:"NAME"`
	Task        []string      `help:"Only these tasks. Can be repeated. Default: all that the key allows."`
	Model       []string      `help:"Only these models. Can be repeated. Default: all that the key allows."`
	Cloud       bool          `help:"Allow requests that leave the server's machine, if the key does."`
	MaxPriority string        `help:"Highest priority of requests: low, normal, high or critical. Default: that of the key." placeholder:"PRIORITY"`
}

// Run makes a token and prints it.
func (k keysTokenCommand) Run(g *globals, con *console) error {
	if g.APIKey == "" {
		return usagef("an access token is made from an API key: set MODELGATEWAY_API_KEY")
	}
	wanted := auth.Token{
		Subject: k.Subject, Lifetime: k.Lifetime, Tasks: k.Task, Models: k.Model, Cloud: k.Cloud, MaxPriority: config.Priority(k.MaxPriority),
	}
	token, expires, err := wanted.Sign(g.APIKey, time.Now())
	if err != nil {
		return usagef("%s", errs.From(err).Message())
	}
	if g.JSON {
		return json.NewEncoder(con.out).Encode(map[string]string{"token": token, "expires": expires.Format(time.RFC3339)})
	}
	fmt.Fprintln(con.out, token)
	fmt.Fprintf(con.err, "The token ends at %s, or with its key. Callers send it as \"Authorization: Bearer <token>\".\n", expires.Format(time.RFC3339))
	return nil
}
