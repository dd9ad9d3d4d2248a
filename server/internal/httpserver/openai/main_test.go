package openai_test

import (
	"os"
	"testing"

	"github.com/lexilingo/modelgateway/server"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

// start runs a whole server until the test ends.
func start(t *testing.T, yaml string) *servertest.Running {
	t.Helper()
	return servertest.Start(t, yaml, func(o servertest.Options) (servertest.Server, error) {
		return server.New(server.Options{Config: o.Config, Log: o.Log, Version: o.Version, Ready: o.Ready})
	})
}
