// Package servertest starts whole servers for tests. Their models are
// engine-fault, an engine that misbehaves on demand.
//
// It does not import package server, so that the tests of that package can use
// it: they pass a function that makes the server.
package servertest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/telemetry"
)

// FaultModels is a configuration whose model qwen is engine-fault. MODEL stands
// for a file that exists.
const FaultModels = `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
max_memory_mb: 2000
cpu_threads: 64
drain_timeout: 10s
log: {level: info, format: json}
engines:
  fault: {command: [engine-fault]}
models:
  qwen: {engine: fault, path: MODEL, memory_mb: 64, threads: 1, max_concurrency: 16, queue: 512}
  whisper: {engine: whisper, path: MODEL, memory_mb: 64}
  piper: {engine: piper, path: MODEL, memory_mb: 64}
  hubert: {engine: hubert, path: MODEL, memory_mb: 64}
tasks:
  chat: {primary: qwen}
`

// SpeechModels is FaultModels with every task of speech on qwen. As a
// transcript, engine-fault returns the number of bytes that it received.
const SpeechModels = FaultModels + `  transcribe: {primary: qwen}
  synthesize: {primary: qwen}
  pronunciation: {primary: qwen}
  respond: {primary: qwen}
`

// enginesDir has engine-fault, which Main builds.
var enginesDir string

// EnginesDir returns the directory of engine-fault.
func EnginesDir() string { return enginesDir }

// Main builds engine-fault, runs the tests of a package, and looks for
// goroutines that they leave. It returns the exit code for TestMain.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "modelgateway-engines-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	enginesDir = dir
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "engine-fault"), "github.com/lexilingo/modelgateway/cmd/engine-fault")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build engine-fault: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// Options are those of server.New.
type Options struct {
	Config  *config.Config
	Log     *slog.Logger
	Version string
	Ready   func(grpcAddress, httpAddress net.Addr)
}

// Server is what tests use of a server.Server.
type Server interface {
	Run(drain, force context.Context) error
	GRPCAddr() net.Addr
	HTTPAddr() net.Addr
	Draining() bool
}

// Running is a server that serves, and clients of it.
type Running struct {
	Server
	Config *config.Config
	Conn   *grpc.ClientConn
	Chat   gatewayv1.ModelGatewayServiceClient
	Admin  gatewayv1.ModelAdminServiceClient
	// URL is the address of the HTTP server, without a path.
	URL  string
	Logs *Log

	stop context.CancelFunc
	done chan error
}

// Start runs a server of a configuration until the test ends.
func Start(t *testing.T, yaml string, newServer func(Options) (Server, error)) *Running {
	t.Helper()
	cfg := LoadConfig(t, yaml)
	r := &Running{Config: cfg, Logs: &Log{}, done: make(chan error, 1)}
	ready := make(chan struct{})
	s, err := newServer(Options{
		Config: cfg, Log: telemetry.NewLogger(r.Logs, cfg.Log), Version: "test",
		Ready: func(_, _ net.Addr) { close(ready) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Server = s
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.done <- s.Run(ctx, context.Background()) }()
	<-ready
	address := s.GRPCAddr().String()
	if s.GRPCAddr().Network() == "unix" {
		address = "unix:" + address
	}
	r.Conn, err = grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(256<<20)))
	if err != nil {
		t.Fatal(err)
	}
	r.Chat, r.Admin = gatewayv1.NewModelGatewayServiceClient(r.Conn), gatewayv1.NewModelAdminServiceClient(r.Conn)
	r.URL = "http://" + s.HTTPAddr().String()
	t.Cleanup(func() { r.End(t) })
	return r
}

// Stop begins the shutdown of the server.
func (r *Running) Stop() { r.stop() }

// End shuts the server down and expects a clean end. It may be called twice.
func (r *Running) End(t *testing.T) {
	t.Helper()
	if r.done == nil {
		return
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	r.done = nil
	if err := r.Conn.Close(); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	if t.Failed() {
		t.Log(r.Logs.String())
	}
}

// LoadConfig returns a checked configuration with directories of its own.
func LoadConfig(t *testing.T, yaml string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	model := filepath.Join(dir, "model.bin")
	file := filepath.Join(dir, "gateway.yaml")
	for name, text := range map[string]string{model: "weights", file: strings.ReplaceAll(yaml, "MODEL", model)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := filepath.Join(dir, "state")
	cfg, err := config.Load(config.Source{File: file, Flags: config.Overrides{StateDir: &state, EnginesDir: &enginesDir}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Log is a log that can be read while it is written.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns what has been written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
