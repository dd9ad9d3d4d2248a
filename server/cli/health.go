package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	"github.com/lexilingo/modelgateway/server/internal/certificates"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

type healthCommand struct{}

// Run asks a server whether it serves. It needs no API key: it is the health check of
// containers.
func (healthCommand) Run(ctx context.Context, g *globals, con *console) error {
	g.useOwnCertificate()
	return g.withClient(ctx, func(ctx context.Context, c *modelgateway.Client) error {
		resp, err := c.Health().Check(ctx, &healthpb.HealthCheckRequest{})
		switch {
		case err != nil:
			return err
		case resp.GetStatus() != healthpb.HealthCheckResponse_SERVING:
			return errors.New("the server does not serve: it is starting or shutting down")
		case g.JSON:
			return writeJSON(con.out, resp)
		}
		_, err = fmt.Fprintln(con.out, "The server serves.")
		return err
	})
}

// useOwnCertificate makes the client trust the certificate of the server that the
// environment configures, if that is the one to call. The health check of a container
// has the server's environment, and calls it by an address that the certificate may
// not name.
func (g *globals) useOwnCertificate() {
	cfg, err := serverFlags{}.load()
	if err != nil || g.TLS || g.TLSCA != "" || g.Addr != config.DialAddress(cfg.GRPCListen) || strings.HasPrefix(g.Addr, "unix:") {
		return
	}
	// Without its certificate, the call fails and says why.
	g.secure, _ = certificates.ForLocal(cfg)
}
