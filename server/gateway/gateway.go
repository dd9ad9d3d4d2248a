// Package gateway puts the server together: configuration, workers, lifecycle,
// router, API and both listeners, and runs it from start to drained end.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/api"
	"github.com/lexilingo/modelgateway/server/config"
	httpserver "github.com/lexilingo/modelgateway/server/http"
	"github.com/lexilingo/modelgateway/server/lifecycle"
	"github.com/lexilingo/modelgateway/server/router"
	"github.com/lexilingo/modelgateway/server/telemetry"
	"github.com/lexilingo/modelgateway/server/worker"
)

// Options are what a gateway needs beside its configuration.
type Options struct {
	// Config is complete and checked: config.Load made it.
	Config *config.Config
	// Log takes all entries. Required.
	Log *slog.Logger
	// Version of the program.
	Version string
	// Ready is called once with both addresses when the gateway serves; nil is
	// nobody.
	Ready func(grpcAddress, httpAddress net.Addr)
}

// pipeBuffer is what the in-process connection of the HTTP side holds.
const pipeBuffer = 1 << 20

// Gateway is a server that is ready to run. Make one with New.
type Gateway struct {
	cfg     *config.Config
	log     *slog.Logger
	onReady func(grpcAddress, httpAddress net.Addr)

	lock     *flock.Flock
	host     *worker.Host
	local    *worker.InProcess
	manager  *lifecycle.Manager
	service  *api.Gateway
	health   *health.Server
	tracing  *telemetry.Tracing
	public   *grpc.Server
	internal *grpc.Server
	conn     *grpc.ClientConn
	pipe     *bufconn.Listener
	http     *httpserver.Server
	grpcLis  net.Listener
	httpLis  net.Listener

	// requests is the context of everything over HTTP.
	requests context.Context
	abandon  context.CancelFunc
	draining atomic.Bool
	watches  watches
}

// New takes the addresses and the state directory, and makes every part. Run or
// Close must follow.
func New(opts Options) (g *Gateway, err error) {
	g = &Gateway{cfg: opts.Config, log: opts.Log, onReady: opts.Ready, watches: newWatches()}
	g.requests, g.abandon = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	for _, warning := range g.cfg.Warnings {
		g.log.Warn(warning)
	}
	if err := g.listen(); err != nil {
		return g, err
	}
	if err := g.lockState(); err != nil {
		return g, err
	}
	if err := unpackStarter(g.cfg); err != nil {
		return g, err
	}
	metrics, err := g.startModels()
	if err != nil {
		return g, err
	}
	return g, g.makeServers(opts.Version, metrics)
}

// listen takes both addresses.
func (g *Gateway) listen() (err error) {
	if g.grpcLis, err = listen("grpc_listen", g.cfg.GRPCListen); err != nil {
		return err
	}
	g.httpLis, err = listen("http_listen", g.cfg.HTTPListen)
	return err
}

// lockState makes sure that no other gateway writes into the state directory.
func (g *Gateway) lockState() error {
	if err := os.MkdirAll(g.cfg.StateDir, 0o700); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	g.lock = flock.New(filepath.Join(g.cfg.StateDir, "lock"))
	locked, err := g.lock.TryLock()
	if err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	if !locked {
		return fmt.Errorf("state_dir: another modelgateway uses %s; give this one its own with --state-dir", g.cfg.StateDir)
	}
	return nil
}

// startModels starts the worker host and the lifecycle manager.
func (g *Gateway) startModels() (*telemetry.Metrics, error) {
	specs, err := modelSpecs(g.cfg)
	if err != nil {
		return nil, err
	}
	if g.host, err = worker.NewHost(worker.Options{Logger: g.log}); err != nil {
		return nil, err
	}
	g.local = worker.NewInProcess(g.log, builtIn(g.cfg, g.log), g.host)
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	metrics := telemetry.NewMetrics(names)
	g.manager, err = lifecycle.New(lifecycle.Options{
		BudgetBytes: g.cfg.MemoryBudgetBytes(),
		CPUThreads:  g.cfg.CPUThreads,
		StateDir:    g.cfg.StateDir,
		Logger:      g.log,
		Observer:    metrics,
	}, specs, g.local)
	if err != nil {
		return nil, err
	}
	metrics.WatchMemory(g.manager.Totals)
	return metrics, nil
}

// makeServers makes the services and both servers.
func (g *Gateway) makeServers(version string, metrics *telemetry.Metrics) error {
	rules, err := api.NewRules()
	if err != nil {
		return err
	}
	candidates, methods := routes(g.cfg)
	acquire := func(ctx context.Context, req lifecycle.Request) (router.Lease, error) {
		lease, err := g.manager.Acquire(ctx, req)
		if err != nil {
			return nil, err
		}
		return lease, nil
	}
	routed := router.New(router.Options{
		Acquire:           acquire,
		Models:            routerModels(g.cfg),
		Tasks:             candidates,
		Observer:          metrics,
		SlowReaderTimeout: g.cfg.Limits.SlowReaderTimeout,
		Breaker:           router.BreakerOptions{Failures: g.cfg.Breaker.Failures, Open: g.cfg.Breaker.Open},
		Log:               g.log,
	})
	g.service = api.NewGateway(api.GatewayOptions{
		Router:      routed,
		Models:      g.manager,
		Rules:       rules,
		TaskMethods: methods,
		Version:     version,
	})
	g.health = health.NewServer()
	factory := api.NewServerFactory(g.cfg.Limits, g.log, rules, api.Services{
		Gateway: g.service, Admin: api.NewAdmin(g.manager, routed), Health: g.health,
	})
	g.tracing, err = telemetry.NewTracing(g.requests, g.cfg.Telemetry.OTLPEndpoint, version)
	if err != nil {
		return err
	}
	options := append(g.tracing.ServerOptions(), g.watches.option())
	g.public = factory.Public(options...)
	// gRPC would let a stream fill up to 16 MiB that nobody has asked for.
	g.internal = factory.Internal(append(options, grpc.StaticStreamWindowSize(streamWindow), grpc.StaticConnWindowSize(pipeWindow))...)
	g.pipe = bufconn.Listen(pipeBuffer)
	g.conn, err = grpc.NewClient("passthrough:///gateway",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return g.pipe.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
	)
	if err != nil {
		return err
	}
	g.http, err = httpserver.New(g.requests, httpserver.Options{
		Conn:    g.conn,
		GRPC:    g.internal,
		State:   g,
		Metrics: metrics.Handler(),
		Limits:  g.cfg.Limits,
		CORS:    g.cfg.CORS,
		Version: version,
		Log:     g.log,
	})
	return err
}

// Status implements httpserver.State.
func (g *Gateway) Status(ctx context.Context, req *gatewayv1.StatusRequest) (*gatewayv1.StatusResponse, error) {
	return g.service.Status(ctx, req)
}

// Draining implements httpserver.State.
func (g *Gateway) Draining() bool { return g.draining.Load() }

// GRPCAddr is the address of the gRPC listener.
func (g *Gateway) GRPCAddr() net.Addr { return g.grpcLis.Addr() }

// HTTPAddr is the address of the HTTP listener.
func (g *Gateway) HTTPAddr() net.Addr { return g.httpLis.Addr() }

// Close ends a gateway at once and gives back all that it holds. Run does it at
// its end.
func (g *Gateway) Close() error {
	g.abandon()
	g.watches.end()
	var errs []error
	add := func(err error) {
		if err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if g.manager != nil {
		add(g.manager.Close())
	}
	if g.service != nil {
		g.service.Close()
	}
	for _, c := range []io.Closer{closerOf(g.http), closerOf(g.conn), g.grpcLis, g.httpLis} {
		if c != nil {
			add(c.Close())
		}
	}
	for _, s := range []*grpc.Server{g.public, g.internal} {
		if s != nil {
			s.Stop()
		}
	}
	if g.local != nil {
		add(g.local.Close())
	}
	if g.host != nil {
		add(g.host.Close())
	}
	flush, done := context.WithTimeout(context.Background(), graceAfterDrain)
	defer done()
	if err := g.tracing.Shutdown(flush); err != nil {
		g.log.Warn("the last traces were not sent", "error", err)
	}
	if g.lock != nil {
		add(g.lock.Unlock())
	}
	return errors.Join(errs...)
}

// closerOf makes a nil pointer a nil interface.
func closerOf[T any, P interface {
	*T
	io.Closer
}](p P) io.Closer {
	if p == nil {
		return nil
	}
	return p
}

// setServing tells gRPC health checkers.
func (g *Gateway) setServing(status healthpb.HealthCheckResponse_ServingStatus) {
	for _, service := range []string{
		"", gatewayv1.ModelGatewayService_ServiceDesc.ServiceName, gatewayv1.ModelAdminService_ServiceDesc.ServiceName,
	} {
		g.health.SetServingStatus(service, status)
	}
}

const (
	// streamWindow is how much of an upload over HTTP may wait for its service, in
	// bytes, and pipeWindow what all may have under way in the pipe to it.
	streamWindow = 128 << 10
	pipeWindow   = 4 << 20
)

// graceAfterDrain is how long connections may linger when no work is left.
const graceAfterDrain = 2 * time.Second
