// Package server makes a server of its parts (configuration, workers, lifecycle,
// router, API and both listeners) and runs it from start to shutdown.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/api"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/certificates"
	"github.com/lexilingo/modelgateway/server/internal/compat"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/grpcguard"
	"github.com/lexilingo/modelgateway/server/internal/httpserver"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/peers"
	"github.com/lexilingo/modelgateway/server/internal/quota"
	"github.com/lexilingo/modelgateway/server/internal/router"
	"github.com/lexilingo/modelgateway/server/internal/speechout"
	"github.com/lexilingo/modelgateway/server/internal/telemetry"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// Options are what a server needs.
type Options struct {
	// Config is the configuration, from config.Load. Required.
	Config *config.Config
	// Log is the server's log. Required.
	Log *slog.Logger
	// Version is the version of the program.
	Version string
	// ReapOrphans makes the server reap the processes that workers leave. It is for
	// programs that start no other processes.
	ReapOrphans bool
	// Ready is called once, with both addresses, when the server is ready; it may
	// be nil.
	Ready func(grpcAddress, httpAddress net.Addr)

	now func() time.Time // the time of the limits of callers; another in tests
}

// pipeBuffer is the buffer of the in-process connection from HTTP to gRPC, in bytes.
const pipeBuffer = 1 << 20

// Server is a server that is ready to run. Make one with New.
type Server struct {
	cfg     *config.Config
	log     *slog.Logger
	onReady func(grpcAddress, httpAddress net.Addr)

	lock    *flock.Flock
	host    *worker.Host
	encoder speechout.Encoder
	local   *worker.InProcess
	manager *lifecycle.Manager
	service *api.Inference
	health  *health.Server
	tracing *telemetry.Tracing
	guard   *grpcguard.Guard
	proxies peers.Proxies

	authorizer   *auth.Authorizer
	limiter      *quota.Limiter
	now          func() time.Time
	certificates *certificates.Source // nil: plain text

	public   *grpc.Server
	internal *grpc.Server
	conn     *grpc.ClientConn
	pipe     *bufconn.Listener
	http     *httpserver.Server
	grpcLis  net.Listener
	httpLis  net.Listener

	// requests is the parent context of all HTTP requests; cancelRequests ends it.
	requests       context.Context
	cancelRequests context.CancelFunc
	draining       atomic.Bool
	loading        atomic.Bool // models before the server is ready
	// accepting ends when the server accepts no more requests; endWaits ends it.
	accepting context.Context
	endWaits  context.CancelFunc
	watches   watches
}

// New listens on both addresses, locks the state directory and makes all parts. Run
// or Close must be called after it.
func New(opts Options) (s *Server, err error) {
	s = &Server{cfg: opts.Config, log: opts.Log, onReady: opts.Ready, now: opts.now, watches: newWatches()}
	if s.now == nil {
		s.now = time.Now
	}
	s.loading.Store(true)
	s.requests, s.cancelRequests = context.WithCancel(context.Background())
	s.accepting, s.endWaits = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, warning := range s.cfg.Warnings {
		s.log.Warn(warning)
	}
	if err := s.listen(); err != nil {
		return s, err
	}
	if err := s.lockState(); err != nil {
		return s, err
	}
	if s.authorizer, err = auth.New(s.cfg.Auth, s.log); err != nil {
		return s, err
	}
	if err := s.openCertificates(); err != nil {
		return s, err
	}
	if err := s.cfg.UnpackStarter(); err != nil {
		return s, err
	}
	metrics, err := s.startModels(opts)
	if err != nil {
		return s, err
	}
	return s, s.makeServers(opts.Version, metrics)
}

// listen listens on both addresses.
func (s *Server) listen() (err error) {
	if s.grpcLis, err = listen("grpc_listen", s.cfg.GRPCListen, s.cfg.Auth.UnixUsers...); err != nil {
		return err
	}
	s.httpLis, err = listen("http_listen", s.cfg.HTTPListen, s.cfg.Auth.UnixUsers...)
	return err
}

// lockState makes sure that no other server uses the state directory.
func (s *Server) lockState() error {
	if err := os.MkdirAll(s.cfg.StateDir, 0o700); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	s.lock = flock.New(filepath.Join(s.cfg.StateDir, "lock"))
	locked, err := s.lock.TryLock()
	if err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	if !locked {
		return fmt.Errorf("state_dir: another modelgateway uses %s; set another folder with --state-dir", s.cfg.StateDir)
	}
	return nil
}

// openCertificates reads the server's certificate, if it has one.
func (s *Server) openCertificates() (err error) {
	if !s.cfg.TLS.Enabled() {
		return nil
	}
	files := certificates.Files(s.cfg)
	if files.SelfSigned {
		if _, err := certificates.SelfSigned(filepath.Dir(files.CertFile), time.Now()); err != nil {
			return err
		}
		s.log.Info("using a self-signed TLS certificate; clients must trust it as their authority", "file", files.CertFile)
	}
	s.certificates, err = certificates.Open(files, s.log)
	return err
}

// startModels starts the worker host and the lifecycle manager.
func (s *Server) startModels(opts Options) (*telemetry.Metrics, error) {
	specs, err := modelSpecs(s.cfg)
	if err != nil {
		return nil, err
	}
	if s.host, err = worker.NewHost(worker.Options{Logger: s.log, ReapOrphans: opts.ReapOrphans, Private: s.cfg.Private()}); err != nil {
		return nil, err
	}
	s.encoder = speechout.Encoder{Path: s.cfg.ProgramPath(speechout.Program)}
	s.local = worker.NewInProcess(s.log, builtIn(s.cfg, s.log), s.host)
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	metrics := telemetry.NewMetrics(names)
	s.manager, err = lifecycle.New(lifecycle.Options{
		BudgetBytes: s.cfg.MemoryBudgetBytes(),
		CPUThreads:  s.cfg.CPUThreads,
		StateDir:    s.cfg.StateDir,
		Logger:      s.log,
		Observer:    metrics,
	}, specs, s.local)
	if err != nil {
		return nil, err
	}
	metrics.WatchMemory(s.manager.Totals)
	metrics.WatchQueues(s.manager.Queues)
	return metrics, nil
}

// makeServers makes both gRPC servers and the HTTP server.
func (s *Server) makeServers(version string, metrics *telemetry.Metrics) error {
	candidates, _ := routes(s.cfg)
	factory, err := s.makeServices(version, metrics)
	if err != nil {
		return err
	}
	s.tracing, err = telemetry.NewTracing(s.requests, s.cfg.Telemetry.OTLPEndpoint, version)
	if err != nil {
		return err
	}
	options := append(s.tracing.ServerOptions(), s.watches.option())
	// The memory of all messages and bodies.
	pool := httpserver.NewPool(s.cfg.Limits)
	calls, cancels := inflight.NewShares(int64(s.cfg.Limits.MaxCalls)), inflight.NewRates(s.cfg.Limits.MaxResets)
	if s.proxies, err = peers.ParseProxies(s.cfg.TrustedProxies); err != nil {
		return err
	}
	s.guard = grpcguard.New(grpcguard.Options{
		Pool:          pool,
		MaxStreams:    int(s.cfg.Limits.MaxConcurrentStreams),
		Calls:         calls,
		Cancels:       cancels,
		Proxies:       s.proxies,
		KeyOf:         func(header metadata.MD) string { return s.authorizer.KeyID(header.Get(auth.Header)) },
		UnreadTimeout: s.cfg.Limits.SlowReaderTimeout,
	})
	s.public = factory.Public(append(s.guard.ServerOptions(), options...)...)
	// By default gRPC buffers up to 16 MiB of a stream that the service has not read.
	s.internal = factory.Internal(append(options, peers.ServerOption(), httpserver.ServerOption(), grpc.StaticStreamWindowSize(streamWindow), grpc.StaticConnWindowSize(pipeWindow))...)
	s.pipe = bufconn.Listen(pipeBuffer)
	s.conn, err = grpc.NewClient("passthrough:///server", append(peers.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.pipe.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
	)...)
	if err != nil {
		return err
	}
	s.http, err = httpserver.New(s.requests, httpserver.Options{
		Conn:         s.conn,
		Authorizer:   s.authorizer,
		Limiter:      s.limiter,
		AllowedHosts: s.cfg.AllowedHosts,
		GRPC:         s.internal,
		State:        s,
		Metrics:      metrics.Handler(),
		Limits:       s.cfg.Limits,
		Pool:         pool,
		Calls:        calls,
		Cancels:      cancels,
		Proxies:      s.proxies,
		CORS:         s.cfg.CORS,
		Tasks:        candidates,
		Aliases:      s.cfg.Aliases,
		Encodes:      s.encoder.Available,
		Version:      version,
		Endpoint:     s.cfg.Advertise,
		Log:          s.log,
	})
	return err
}

// makeServices makes the gRPC services and returns the factory for their servers.
func (s *Server) makeServices(version string, metrics *telemetry.Metrics) (*api.ServerFactory, error) {
	s.authorizer.Observe(metrics)
	validator, err := api.NewValidator()
	if err != nil {
		return nil, err
	}
	candidates, methods := routes(s.cfg)
	s.limiter = quota.New(s.cfg.Limits.Caller, metrics, s.now)
	routed := router.New(router.Options{
		Acquire:           s.acquire,
		Models:            routerModels(s.cfg),
		Tasks:             candidates,
		Observer:          metrics,
		SlowReaderTimeout: s.cfg.Limits.SlowReaderTimeout,
		Breaker:           router.BreakerOptions{Failures: s.cfg.Breaker.Failures, Open: s.cfg.Breaker.Open},
		Instance:          instance(s.cfg),
		Draining:          s.accepting,
		Log:               s.log,
	})
	voices, err := voiceSources(s.cfg, s.log)
	if err != nil {
		return nil, err
	}
	s.service = api.NewInference(api.InferenceOptions{
		Router:       routed,
		Models:       s.manager,
		TaskMethods:  methods,
		Limiter:      s.limiter,
		Denied:       s.authorizer.Denied,
		Version:      version,
		Instance:     instance(s.cfg),
		Draining:     s.Draining,
		Encoder:      s.encoder,
		VoiceSources: voices,
		Log:          s.log,

		SlowReaderTimeout: s.cfg.Limits.SlowReaderTimeout,
	})
	s.health = health.NewServer()
	s.setServing(healthpb.HealthCheckResponse_NOT_SERVING)
	inference := compat.New(compat.Options{
		Handlers:    s.service,
		Models:      s.manager,
		Validator:   validator,
		HasTask:     routed.HasTask,
		TaskMethods: methods,
	})
	return api.NewServerFactory(s.cfg.Limits, s.log, validator, s.authorizer, s.limiter, api.Services{
		Inference: inference, Admin: api.NewAdmin(s.manager, routed, s.cfg.Limits), Health: s.health,
	}, s.cfg.Advertise), nil
}

// instance returns the name of this server among others.
func instance(cfg *config.Config) string {
	if cfg.Advertise != "" {
		return cfg.Advertise
	}
	name, _ := os.Hostname() // "" if the machine has none
	return name
}

// acquire implements router.Acquire.
func (s *Server) acquire(ctx context.Context, req lifecycle.Request) (router.Lease, error) {
	lease, err := s.manager.Acquire(ctx, req)
	if err != nil {
		return nil, err // returning lease would make a router.Lease that is not nil
	}
	return lease, nil
}

// Status implements pages.State.
func (s *Server) Status(ctx context.Context, req *gatewayv1.StatusRequest) (*gatewayv1.StatusResponse, error) {
	return s.service.Status(ctx, req)
}

// Draining implements pages.State. It reports whether the server shuts down.
func (s *Server) Draining() bool { return s.draining.Load() }

// Loading implements pages.State.
func (s *Server) Loading() bool { return s.loading.Load() }

// Ready implements pages.State.
func (s *Server) Ready() error { return s.host.Ready() }

// GRPCAddr returns the address of the gRPC listener.
func (s *Server) GRPCAddr() net.Addr { return s.grpcLis.Addr() }

// HTTPAddr returns the address of the HTTP listener.
func (s *Server) HTTPAddr() net.Addr { return s.httpLis.Addr() }

// setServing sets the answer to gRPC health checks: of the services, and of the tasks
// that a model serves.
func (s *Server) setServing(status healthpb.HealthCheckResponse_ServingStatus) {
	names := []string{
		"", gatewayv1.ModelGatewayService_ServiceDesc.ServiceName, gatewayv1.ModelAdminService_ServiceDesc.ServiceName,
	}
	for task, route := range s.cfg.Tasks {
		if slices.ContainsFunc(route.Candidates(), func(model string) bool { return s.cfg.Models[model].Absent == "" }) {
			names = append(names, task)
		}
	}
	for _, name := range names {
		s.health.SetServingStatus(name, status)
	}
}

const (
	// streamWindow is how many bytes of an upload over HTTP may wait for their
	// service, and pipeWindow how many of all uploads together.
	streamWindow = 128 << 10
	pipeWindow   = 4 << 20
)
