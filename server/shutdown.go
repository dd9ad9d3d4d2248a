package server

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// connectionGrace is how long connections may stay open when no request is left.
const connectionGrace = 2 * time.Second

// shutDown ends the server's work. It reports to health checks that the server does not
// serve, and goes on until those that send requests have seen it. Then it ends the
// streams and WebSockets that have no work, serves the requests that it has, while
// new ones get DRAINING, and then ends the watches and the connections. It stops
// waiting when ctx ends.
func (s *Server) shutDown(ctx context.Context) {
	start := time.Now()
	s.draining.Store(true)
	s.setServing(healthpb.HealthCheckResponse_NOT_SERVING)
	s.log.Info("shutting down", "delay", s.cfg.DrainDelay, "timeout", s.cfg.DrainTimeout)
	select {
	case <-time.After(s.cfg.DrainDelay):
	case <-ctx.Done():
	}
	s.endWaits()
	s.http.Drain()
	requests, cancel := context.WithTimeout(ctx, s.cfg.DrainTimeout)
	defer cancel()
	if err := s.manager.Shutdown(requests); err != nil {
		s.log.Warn("requests that did not end in time were cancelled", "error", err)
	}
	s.watches.end()
	s.closeConnections(ctx)
	s.log.Info("shut down", "took", time.Since(start))
}

// closeConnections closes idle connections at once and the others when their last
// answer is sent, at most connectionGrace later.
func (s *Server) closeConnections(ctx context.Context) {
	grace, done := context.WithTimeout(ctx, connectionGrace)
	defer done()
	var servers sync.WaitGroup
	servers.Go(s.public.GracefulStop)
	servers.Go(func() {
		if err := s.http.Shutdown(grace); err != nil {
			s.log.Debug("HTTP connections that did not end in time were closed", "error", err)
		}
	})
	stop := context.AfterFunc(grace, s.public.Stop)
	servers.Wait()
	stop()
}

// Close ends the server at once and releases its resources. Run calls it.
func (s *Server) Close() error {
	s.cancelRequests()
	s.endWaits()
	s.watches.end()
	var errs []error
	add := func(err error) {
		if err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.manager != nil {
		add(s.manager.Close())
	}
	if s.service != nil {
		s.service.Close()
	}
	for _, c := range []io.Closer{closerOf(s.http), closerOf(s.conn), s.grpcLis, s.httpLis} {
		if c != nil {
			add(c.Close())
		}
	}
	for _, s := range []*grpc.Server{s.public, s.internal} {
		if s != nil {
			s.Stop()
		}
	}
	if s.local != nil {
		add(s.local.Close())
	}
	if s.host != nil {
		add(s.host.Close())
	}
	flush, done := context.WithTimeout(context.Background(), connectionGrace)
	defer done()
	if err := s.tracing.Shutdown(flush); err != nil {
		s.log.Warn("cannot send the last traces", "error", err)
	}
	if s.lock != nil {
		add(s.lock.Unlock())
	}
	return errors.Join(errs...)
}

// closerOf returns p as an io.Closer, which is nil if p is.
func closerOf[T any, P interface {
	*T
	io.Closer
}](p P) io.Closer {
	if p == nil {
		return nil
	}
	return p
}
