// Package httpserver is everything that the gateway serves over HTTP: REST,
// gRPC-Web and Connect in front of the same gRPC server, health, metrics and
// documentation.
package httpserver

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/vanguard"
	"github.com/rs/cors"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

const (
	// headerTimeout is how long a client may take over its headers.
	headerTimeout = 10 * time.Second
	// idleTimeout closes connections without a request.
	idleTimeout = 2 * time.Minute
)

// Options are what the HTTP side needs.
type Options struct {
	// Conn leads to the gRPC server inside this process.
	Conn *grpc.ClientConn
	// GRPC is that server.
	GRPC *grpc.Server
	// State tells how the gateway is.
	State State
	// Metrics serves them.
	Metrics http.Handler
	// Limits protect the server.
	Limits config.Limits
	// CORS says which pages may call.
	CORS config.CORS
	// Version of the gateway.
	Version string
	// Log takes the server's own troubles.
	Log *slog.Logger

	bodyPatience time.Duration // shorter in tests
	socketIdle   time.Duration // shorter in tests
	inFlight     int64         // bytes of all large bodies and messages; fewer in tests
}

// New makes the HTTP server. ctx is that of every request.
func New(ctx context.Context, opts Options) (*Server, error) {
	inFlight := newInFlight(opts.Limits)
	if opts.inFlight > 0 {
		inFlight = semaphore.NewWeighted(opts.inFlight)
	}
	sockets := newSockets(opts.Limits.SlowReaderTimeout, opts.socketIdle, inFlight)
	handler, err := routes(ctx, opts, sockets, inFlight)
	if err != nil {
		return nil, err
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &Server{sockets: sockets, Server: &http.Server{
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
	}}, nil
}

// routes puts the surfaces side by side.
func routes(ctx context.Context, opts Options, sockets *sockets, inFlight *semaphore.Weighted) (http.Handler, error) {
	methods, err := newREST(ctx, opts.Conn)
	if err != nil {
		return nil, err
	}
	rest := shapeErrors(methods)
	rpc, err := newRPC(opts)
	if err != nil {
		return nil, err
	}
	openAPI, err := openAPIHandler(opts.Version)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", rest)
	newSpeech(opts, methods, rest, sockets).register(mux)
	mux.Handle("/modelgateway.v1.ModelGatewayService/", rpc)
	mux.Handle("/modelgateway.v1.ModelAdminService/", rpc)
	handleGet(mux, "/health", healthHandler(opts.State))
	handleGet(mux, "/healthz", liveHandler())
	handleGet(mux, "/readyz", readyHandler(opts.State))
	handleGet(mux, "/metrics", opts.Metrics)
	handleGet(mux, "/openapi.json", openAPI)
	handleGet(mux, "/docs/", docsHandler())
	handleGet(mux, "/docs", http.RedirectHandler("/docs/", http.StatusMovedPermanently))
	handleGet(mux, "/{$}", http.RedirectHandler("/docs/", http.StatusFound))
	mux.Handle("/", rest) // answers 404 in the API's own shape
	guarded, err := sameOrigin(opts.CORS, newBodyGuard(opts.Limits, inFlight, opts.bodyPatience, mux))
	if err != nil {
		return nil, fmt.Errorf("cors.allowed_origins: %w", err)
	}
	return secured(ownHost(withCORS(opts.CORS, guarded))), nil
}

// newRPC serves gRPC-Web and Connect, and gRPC for clients that speak it to this
// port, over the gRPC server.
func newRPC(opts Options) (http.Handler, error) {
	sized := tellTooLarge(opts.Limits, opts.GRPC)
	services := []*vanguard.Service{
		vanguard.NewService(gatewayv1.ModelGatewayService_ServiceDesc.ServiceName, sized),
		vanguard.NewService(gatewayv1.ModelAdminService_ServiceDesc.ServiceName, sized),
	}
	// The gRPC server bounds messages; this is for their longer form in JSON.
	limit := uint32(largestBody(opts.Limits)) //nolint:gosec // of at most 1024 MiB
	handler, err := vanguard.NewTranscoder(services, vanguard.WithDefaultServiceOptions(
		vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
		vanguard.WithTargetCodecs(vanguard.CodecProto),
		vanguard.WithMaxMessageBufferBytes(limit),
	), vanguard.WithUnknownHandler(http.HandlerFunc(notFound)))
	if err != nil {
		return nil, fmt.Errorf("cannot prepare gRPC-Web and Connect: %w", err)
	}
	return rpcMethods(handler), nil
}

// withCORS lets pages of the configured origins call, and no others.
func withCORS(cfg config.CORS, next http.Handler) http.Handler {
	if len(cfg.AllowedOrigins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: cfg.AllowedOrigins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{
			"Accept", "Authorization", "Content-Type",
			"Connect-Protocol-Version", "Connect-Timeout-Ms", "Connect-Content-Encoding",
			"Grpc-Timeout", "X-Grpc-Web", "X-User-Agent",
		},
		ExposedHeaders: []string{
			"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin", "Retry-After",
			"Content-Encoding", "Connect-Content-Encoding", headerModel, headerEngine, headerFallback, headerTiming,
		},
		MaxAge: int((2 * time.Hour).Seconds()),
	}).Handler(next)
}

// secured keeps browsers from guessing types and from showing our pages inside
// others.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}

// logWriter takes what net/http complains of. That is about the other side, but
// for panics, which are ours.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	level, message := slog.LevelDebug, strings.TrimSpace(string(p))
	if strings.Contains(message, "panic serving") {
		level = slog.LevelError
	}
	w.log.Log(context.Background(), level, "http", "message", message)
	return len(p), nil
}
