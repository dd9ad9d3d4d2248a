// Package cli is the command line of the program modelgateway: the command
// "serve", which runs the server, and the commands that call a server.
package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Main runs the command that the program's arguments name and returns the exit
// code.
func Main(build Build) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], terminal(), build)
}
