package server

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

	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/telemetry"
)

// Serve runs a gateway until SIGTERM or SIGINT; a second signal ends it without
// draining. It writes one line with the addresses to out when it is ready. Logs
// go to logs. This is the command `modelgateway serve`.
func Serve(ctx context.Context, cfg *config.Config, version string, out, logs io.Writer) error {
	log := telemetry.NewLogger(logs, cfg.Log)
	telemetry.RouteGRPCLog(log)
	telemetry.RouteStandardLog(log)
	s, err := New(Options{
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
	return s.Run(drain, force)
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
func (s *Server) Run(drain, force context.Context) error {
	failed := make(chan error, 3)
	go func() { failed <- served(s.internal.Serve(s.pipe)) }()
	go func() { failed <- served(s.public.Serve(s.grpcLis)) }()
	go func() { failed <- served(s.http.Serve(s.httpLis)) }()
	s.setServing(healthpb.HealthCheckResponse_SERVING)
	if s.onReady != nil {
		s.onReady(s.GRPCAddr(), s.HTTPAddr())
	}
	var failure error
	running := 3
	select {
	case <-drain.Done():
	case failure = <-failed:
		running--
	}
	s.drain(force)
	failure = errors.Join(failure, s.Close())
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
func (s *Server) drain(force context.Context) {
	start := time.Now()
	s.draining.Store(true)
	s.setServing(healthpb.HealthCheckResponse_NOT_SERVING)
	s.http.Drain()
	s.log.Info("draining", "timeout", s.cfg.DrainTimeout)
	ctx, cancel := context.WithTimeout(force, s.cfg.DrainTimeout)
	defer cancel()
	if err := s.manager.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut off", "error", err)
	}
	s.watches.end()
	s.letGo(force)
	s.log.Info("drained", "took", time.Since(start))
}

// letGo closes the connections of both servers, those at rest at once and the
// others when their last answer is sent, for at most graceAfterDrain.
func (s *Server) letGo(force context.Context) {
	grace, done := context.WithTimeout(force, graceAfterDrain)
	defer done()
	var servers sync.WaitGroup
	servers.Go(s.public.GracefulStop)
	servers.Go(func() {
		if err := s.http.Shutdown(grace); err != nil {
			s.log.Debug("HTTP connections were cut off", "error", err)
		}
	})
	stop := context.AfterFunc(grace, s.public.Stop)
	servers.Wait()
	stop()
}
