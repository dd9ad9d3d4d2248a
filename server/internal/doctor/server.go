package doctor

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// probeTimeout limits each request to a server that may be running.
const probeTimeout = time.Second

// checkServer checks the fallbacks of a server that runs at the configured
// address. If there is none, it checks that the listen addresses are free.
func checkServer(ctx context.Context, cfg *config.Config) []Finding {
	if version, err := runningVersion(ctx, cfg.GRPCListen); err == nil {
		return []Finding{checkReady(ctx, cfg, version), checkFallbacks(ctx, cfg)}
	}
	return []Finding{
		checkAddress(ctx, "gRPC address", "--grpc-listen", cfg.GRPCListen),
		checkAddress(ctx, "HTTP address", "--http-listen", cfg.HTTPListen),
	}
}

// checkReady asks a running server whether it can load models. It may have another
// environment than this program, such as a temporary directory of its own.
func checkReady(ctx context.Context, cfg *config.Config, version string) Finding {
	const check = "server"
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	res, err := get(ctx, cfg.HTTPListen, "/readyz")
	if err != nil {
		return warn(check, "", "version %s is running at %s; cannot ask whether it is ready: %s", version, cfg.GRPCListen, oneLine(err))
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err == nil && res.StatusCode == http.StatusOK {
		return ok(check, "version %s is running at %s", version, cfg.GRPCListen)
	}
	return fail(check, "Its log says more.", "version %s is running at %s and is not ready: %s", version, cfg.GRPCListen, strings.TrimSpace(string(text)))
}

func checkAddress(ctx context.Context, check, flag, address string) Finding {
	network, addr := config.SplitListen(address)
	if network == "unix" {
		if err := checkWritable(filepath.Dir(addr)); err != nil {
			return fail(check, "Choose another address with "+flag+".", "%s", oneLine(err))
		}
		return ok(check, "%s", address)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, network, addr)
	if err != nil {
		return fail(check, "Stop the program that uses this address, or choose another with "+flag+".", "%s", oneLine(err))
	}
	_ = listener.Close()
	return ok(check, "%s is free", address)
}

func runningVersion(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	client, err := modelgateway.New(config.DialAddress(address))
	if err != nil {
		return "", err
	}
	defer func() { _ = client.Close() }()
	res, err := client.Status(ctx, &gatewayv1.StatusRequest{})
	return res.GetVersion(), err
}
