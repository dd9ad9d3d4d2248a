package cli

import (
	"context"
	"errors"
	"fmt"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
)

type healthCommand struct{}

// Run asks a server whether it serves. It needs no API key: it is the health check of
// containers.
func (healthCommand) Run(ctx context.Context, g *globals, con *console) error {
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
