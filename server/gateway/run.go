package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/lexilingo/modelgateway/server/config"
	"github.com/lexilingo/modelgateway/server/telemetry"
)

// Serve runs a gateway until SIGTERM or SIGINT; a second signal ends it without
// draining. It writes one line with the addresses to out when it is ready. Logs
// go to logs. This is the command `modelgateway serve`.
func Serve(ctx context.Context, cfg *config.Config, version string, out, logs io.Writer) error {
	log := telemetry.NewLogger(logs, cfg.Log)
	telemetry.RouteGRPCLog(log)
	telemetry.RouteStandardLog(log)
	g, err := New(Options{
		Config:  cfg,
		Log:     log,
		Version: version,
		Ready: func(grpcAddress, httpAddress net.Addr) {
			fmt.Fprintf(out, "modelgateway %s is ready: gRPC %s, HTTP %s\n", version, show(grpcAddress), showHTTP(httpAddress))
		},
	})
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	drain, stop := context.WithCancel(ctx)
	force, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer stop()
	go func() {
		select {
		case <-signals:
			stop()
		case <-force.Done():
			return
		}
		select {
		case <-signals:
			kill()
		case <-force.Done():
		}
	}()
	return g.Run(drain, force)
}

func show(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return a.String()
}

func showHTTP(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return "http://" + a.String()
}

// Run serves until drain ends; then it takes no new requests, lets those under
// way go on for the configured time or until force ends, and gives everything
// back. It returns nil after a clean end.
func (g *Gateway) Run(drain, force context.Context) error {
	failed := make(chan error, 3)
	go func() { failed <- served(g.internal.Serve(g.pipe)) }()
	go func() { failed <- served(g.public.Serve(g.grpcLis)) }()
	go func() { failed <- served(g.http.Serve(g.httpLis)) }()
	g.setServing(healthpb.HealthCheckResponse_SERVING)
	if g.onReady != nil {
		g.onReady(g.GRPCAddr(), g.HTTPAddr())
	}
	var failure error
	running := 3
	select {
	case <-drain.Done():
	case failure = <-failed:
		running--
	}
	g.drain(force)
	failure = errors.Join(failure, g.Close())
	for range running {
		failure = errors.Join(failure, <-failed)
	}
	return failure
}

func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// drain ends the gateway's work in order: say so to health checkers and to
// WebSockets at rest, end the models' work (new requests are answered DRAINING
// meanwhile), then end the watches and let connections go.
func (g *Gateway) drain(force context.Context) {
	start := time.Now()
	g.draining.Store(true)
	g.setServing(healthpb.HealthCheckResponse_NOT_SERVING)
	g.http.Drain()
	g.log.Info("draining", "timeout", g.cfg.DrainTimeout)
	ctx, cancel := context.WithTimeout(force, g.cfg.DrainTimeout)
	defer cancel()
	if err := g.manager.Drain(ctx); err != nil {
		g.log.Warn("requests were cut off", "error", err)
	}
	g.watches.end()
	g.letGo(force)
	g.log.Info("drained", "took", time.Since(start))
}

// letGo closes the connections of both servers, those at rest at once and the
// others when their last answer is sent, for at most graceAfterDrain.
func (g *Gateway) letGo(force context.Context) {
	grace, done := context.WithTimeout(force, graceAfterDrain)
	defer done()
	var servers sync.WaitGroup
	servers.Go(g.public.GracefulStop)
	servers.Go(func() {
		if err := g.http.Shutdown(grace); err != nil {
			g.log.Debug("HTTP connections were cut off", "error", err)
		}
	})
	stop := context.AfterFunc(grace, g.public.Stop)
	servers.Wait()
	stop()
}
