package main

import (
	"context"

	"github.com/lexilingo/modelgateway/server/gateway"
)

type serveCommand struct {
	serverFlags
}

// Run serves until SIGTERM or Ctrl-C, then drains.
func (s serveCommand) Run(ctx context.Context, con *console) error {
	cfg, err := s.load()
	if err != nil {
		return usageError{err}
	}
	return gateway.Serve(ctx, cfg, version, con.out, con.err)
}
