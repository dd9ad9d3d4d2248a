package cli

import (
	"context"

	"github.com/lexilingo/modelgateway/server"
)

type serveCommand struct {
	serverFlags
}

// Run serves until SIGTERM or Ctrl-C, then finishes the running requests.
func (s serveCommand) Run(ctx context.Context, con *console, build Build) error {
	cfg, err := s.load()
	if err != nil {
		return usageError{err}
	}
	return server.Serve(ctx, cfg, build.Version, con.out, con.err)
}
