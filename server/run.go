package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/httpserver"
	"github.com/lexilingo/modelgateway/server/internal/telemetry"
)

// Serve runs a server until ctx ends or the process gets SIGTERM or SIGINT, and
// then shuts it down. A second signal ends it at once. Serve writes one line with
// the addresses to out when the server is ready, and the log to logs. It is the
// command `modelgateway serve`.
func Serve(ctx context.Context, cfg *config.Config, version string, out, logs io.Writer) error {
	log, flush := telemetry.NewQueuedLogger(logs, cfg.Log)
	defer flush()
	hideSecrets(cfg, log)
	telemetry.RouteGRPCLog(log)
	telemetry.RouteStandardLog(log)
	scheme := "http://"
	if cfg.TLS.Enabled() {
		scheme = "https://"
	}
	s, err := New(Options{
		Config:      cfg,
		Log:         log,
		Version:     version,
		ReapOrphans: true,
		Ready: func(grpcAddress, httpAddress net.Addr) {
			page := ""
			if host := httpserver.PlaygroundAddress(httpAddress, cfg.Auth.Required()); host != "" {
				page = ", page " + scheme + host + "/ui/"
			}
			fmt.Fprintf(out, "modelgateway %s is ready: gRPC %s, HTTP %s%s\n", version, formatAddr("", grpcAddress), formatAddr(scheme, httpAddress), page)
		},
	})
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	running, shutDown := context.WithCancel(ctx)
	draining, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer shutDown()
	limitMemory(httpserver.NewPool(cfg.Limits).Size())
	go tidyMemory(running)
	go func() {
		select {
		case <-signals:
			shutDown()
		case <-draining.Done():
			return
		}
		select {
		case <-signals:
			abort()
		case <-draining.Done():
		}
	}()
	return s.Run(running, draining)
}

// formatAddr formats an address for people; scheme is written before TCP addresses.
func formatAddr(scheme string, a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return scheme + a.String()
}

// Run serves until running ends, and then shuts down: after a delay it refuses new
// requests and serves those that it has, at most for the configured time or until
// draining ends.
// It releases all resources before it returns. The error is nil after a normal
// shutdown.
func (s *Server) Run(running, draining context.Context) error {
	ended := make(chan error, 3)
	go func() { ended <- serveError(s.internal.Serve(s.pipe)) }()
	// The guard reads frames, so it is inside TLS.
	go func() {
		ended <- serveError(s.public.Serve(s.guard.Listen(s.secure(limitConnections(s.grpcLis, s.cfg.Limits, s.proxies), "h2"))))
	}()
	go func() {
		ended <- serveError(s.http.Serve(s.secure(s.http.Throttled(limitConnections(s.httpLis, s.cfg.Limits, s.proxies)), "h2", "http/1.1")))
	}()
	go s.authorizer.Follow(s.requests)
	starting, endStart := context.WithCancel(running)
	defer endStart()
	var start sync.WaitGroup
	start.Go(func() { s.becomeReady(starting) })
	var err error
	left := 3
	select {
	case <-running.Done():
	case err = <-ended:
		left--
	}
	endStart()
	start.Wait()
	s.shutDown(draining)
	err = errors.Join(err, s.Close())
	for range left {
		err = errors.Join(err, <-ended)
	}
	return err
}

// becomeReady loads the models that the server needs to be ready, and reports that
// it is, unless ctx has ended.
func (s *Server) becomeReady(ctx context.Context) {
	s.preload(ctx)
	s.loading.Store(false)
	if ctx.Err() != nil {
		return
	}
	s.setServing(healthpb.HealthCheckResponse_SERVING)
	if s.onReady != nil {
		s.onReady(s.GRPCAddr(), s.HTTPAddr())
	}
}

// secure returns a listener with transport security for clients that speak these
// protocols, if the server has a certificate. Unix sockets need none.
func (s *Server) secure(lis net.Listener, protocols ...string) net.Listener {
	if s.certificates == nil || lis.Addr().Network() == "unix" {
		return lis
	}
	return tls.NewListener(lis, s.certificates.Config(protocols...))
}

// serveError returns the error of a listener, nil if it was closed.
func serveError(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
