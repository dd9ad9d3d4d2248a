// Package httpserver assembles the HTTP server: REST, gRPC-Web and Connect in
// front of the gRPC server of this process, speech as bodies and WebSockets,
// health, metrics and documentation.
//
// routes.go has every path. The packages below have one concern each:
//
//   - bodies bounds the bodies of requests
//   - inflight bounds the memory that all requests together hold
//   - rest serves the RPCs as JSON, gRPC-Web and Connect
//   - openai serves the API of OpenAI
//   - speech serves audio that is not JSON
//   - sockets serves WebSockets
//   - pages serves health and the API description
//   - reply writes errors in the caller's protocol
package httpserver

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/pages"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
	"github.com/lexilingo/modelgateway/server/internal/quota"
)

const (
	// headerTimeout is how long a client may take to send its headers.
	headerTimeout = 10 * time.Second
	// idleTimeout is how long a connection may stay open without a request.
	idleTimeout = 2 * time.Minute
)

// Options configure the HTTP server. All exported fields but Limits,
// AllowedHosts, Proxies, CORS, Tasks, Aliases and Version are required.
type Options struct {
	// Conn is a connection to the gRPC server of this process.
	Conn *grpc.ClientConn
	// GRPC is that server.
	GRPC *grpc.Server
	// Authorizer decides who may use a route.
	Authorizer *auth.Authorizer
	// Limiter has what callers have left.
	Limiter *quota.Limiter
	// State is what the health pages show.
	State pages.State
	// Metrics serves /metrics.
	Metrics http.Handler
	// Limits protect the server from its clients.
	Limits config.Limits
	// AllowedHosts are names of the server, in addition to those of the machine.
	AllowedHosts []string
	// Pool is the memory of large bodies and messages; see NewPool.
	Pool *inflight.Pool
	// Calls are the places of requests, and of gRPC calls.
	Calls *inflight.Shares
	// Cancels counts the requests that peers cancel.
	Cancels *inflight.Rates
	// Proxies are trusted to say whose a request is.
	Proxies peers.Proxies
	// CORS has the origins whose pages may call.
	CORS config.CORS
	// Tasks lists the models of each task, primary first, and Aliases has other names
	// of models and tasks: for OpenAI's API.
	Tasks   map[string][]string
	Aliases map[string]string
	// Encodes reports whether the server can compress speech.
	Encodes func() bool
	// Version is that of the program.
	Version string
	// Endpoint is the address of this server behind a proxy; "" for none.
	Endpoint string
	// Log takes what net/http logs.
	Log *slog.Logger

	bodyReadTimeout   time.Duration // shorter in tests
	socketIdleTimeout time.Duration // shorter in tests
}

// NewPool returns the memory that large bodies and messages share, those of gRPC
// too.
func NewPool(limits config.Limits) *inflight.Pool { return bodies.NewPool(limits) }

// ServerOption returns an option that the gRPC server of the process needs.
func ServerOption() grpc.ServerOption { return grpc.StatsHandler(bodies.Received{}) }

// Server is the HTTP server with its WebSockets.
type Server struct {
	*http.Server
	opts    Options
	sockets *sockets.Set
}

// New returns a server that does not listen yet. ctx is the context of every
// request.
func New(ctx context.Context, opts Options) (*Server, error) {
	set := sockets.NewSet(sockets.Options{
		WriteTimeout: opts.Limits.SlowReaderTimeout, IdleTimeout: opts.socketIdleTimeout, Pool: opts.Pool,
	})
	handler, err := newHandler(ctx, opts, set)
	if err != nil {
		return nil, err
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	protocols.SetHTTP2(true)
	return &Server{opts: opts, sockets: set, Server: &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    opts.Limits.MaxHeaderKB << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: int(opts.Limits.MaxConcurrentStreams),
			SendPingTimeout:      time.Minute,
			PingTimeout:          20 * time.Second,
		},
		ErrorLog:    log.New(logWriter{opts.Log}, "", 0),
		BaseContext: func(lis net.Listener) context.Context { return withListener(ctx, lis) },
		ConnContext: withConn,
	}}, nil
}

// Drain ends WebSockets without work, and the others when their work is done.
// Requests are served as before.
func (s *Server) Drain() { s.sockets.Drain() }

// Shutdown ends WebSockets with the reason DRAINING, and shuts the server down as
// http.Server.Shutdown does.
func (s *Server) Shutdown(ctx context.Context) error {
	s.sockets.EndAll()
	return errors.Join(s.Server.Shutdown(ctx), s.sockets.Wait(ctx))
}

// Close closes every connection, and waits until the work of WebSockets has
// stopped.
func (s *Server) Close() error {
	s.sockets.CloseAll()
	return s.Server.Close()
}

// logWriter logs what net/http logs. That is about clients, and so of the level
// debug, except panics, which are ours.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	level, message := slog.LevelDebug, strings.TrimSpace(string(p))
	if strings.Contains(message, "panic serving") {
		level = slog.LevelError
	}
	w.log.Log(context.Background(), level, "http", "message", message)
	return len(p), nil
}
