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
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/certificates"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// probeTimeout limits each request to a server that may be running.
const probeTimeout = time.Second

// local is the server of this machine with a configuration. It may run.
type local struct {
	cfg    *config.Config
	apiKey string // for what needs one
}

// check checks the fallbacks of a server that runs at the configured address. If
// there is none, it checks that the listen addresses are free.
func (l local) check(ctx context.Context) []Finding {
	if version, err := l.version(ctx); err == nil {
		return []Finding{l.checkReady(ctx, version), l.checkFallbacks(ctx)}
	}
	cfg := l.cfg
	return []Finding{
		checkAddress(ctx, "gRPC address", "--grpc-listen", cfg.GRPCListen),
		checkAddress(ctx, "HTTP address", "--http-listen", cfg.HTTPListen),
	}
}

// checkReady asks a running server whether it can load models. It may have another
// environment than this program, such as a temporary directory of its own.
func (l local) checkReady(ctx context.Context, version string) Finding {
	const check = "server"
	cfg := l.cfg
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	res, err := l.get(ctx, "/readyz")
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

// version returns the version of the server that runs, or an error if none does. It
// is "unknown" if the API key does not allow to ask for it.
func (l local) version(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	secure, err := certificates.ForLocal(l.cfg)
	if err != nil {
		return "", err
	}
	options := []modelgateway.Option{modelgateway.WithRetry(modelgateway.Retry{Attempts: 1})}
	if network, _ := config.SplitListen(l.cfg.GRPCListen); secure != nil && network != "unix" {
		options = append(options, modelgateway.WithTLS(secure))
	}
	if l.apiKey != "" {
		options = append(options, modelgateway.WithAPIKey(l.apiKey))
	}
	client, err := modelgateway.New(config.DialAddress(l.cfg.GRPCListen), options...)
	if err != nil {
		return "", err
	}
	defer func() { _ = client.Close() }()
	res, err := client.Status(ctx, &gatewayv1.StatusRequest{})
	if reason := errs.ReasonOf(err); reason == errs.Unauthenticated || reason == errs.Forbidden {
		return "unknown", nil
	}
	return res.GetVersion(), err
}
