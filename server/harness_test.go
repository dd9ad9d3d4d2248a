package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/telemetry"
)

// enginesDir holds engine-fault, built once for the package.
var enginesDir string

// serveConfig is a variable of the environment. If it is set, the test binary serves
// that configuration as the command does.
const serveConfig = "MODELGATEWAY_TEST_SERVE"

func serveAsCommand(file string) int {
	cfg, err := config.Load(config.Source{File: file})
	if err == nil {
		err = Serve(context.Background(), cfg, "test", os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestMain(m *testing.M) {
	if file := os.Getenv(serveConfig); file != "" {
		os.Exit(serveAsCommand(file))
	}
	dir, err := os.MkdirTemp("", "modelgateway-engines-")
	if err != nil {
		panic(err)
	}
	enginesDir = dir
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "engine-fault"), "github.com/lexilingo/modelgateway/cmd/engine-fault")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build engine-fault: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// running is a server that runs, with clients for it.
type running struct {
	*Server
	conn  *grpc.ClientConn
	chat  gatewayv1.ModelGatewayServiceClient
	admin gatewayv1.ModelAdminServiceClient
	http  string
	logs  *lockedBuffer

	stop context.CancelFunc
	done chan error
}

// lockedBuffer is a buffer for concurrent use.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// faultModels is a configuration whose model qwen is engine-fault.
const faultModels = `
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

// start runs a server. In its configuration, MODEL is replaced by the path of a file
// that exists.
func start(t *testing.T, yaml string) *running {
	t.Helper()
	cfg := loadConfig(t, yaml)
	r := &running{logs: &lockedBuffer{}, done: make(chan error, 1)}
	ready := make(chan struct{})
	s, err := New(Options{
		Config: cfg, Log: telemetry.NewLogger(r.logs, cfg.Log), Version: "test",
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
	r.conn, err = grpc.NewClient(formatAddr("", s.GRPCAddr()), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(256<<20)))
	if err != nil {
		t.Fatal(err)
	}
	r.chat, r.admin = gatewayv1.NewModelGatewayServiceClient(r.conn), gatewayv1.NewModelAdminServiceClient(r.conn)
	r.http = "http://" + s.HTTPAddr().String()
	t.Cleanup(func() { r.end(t) })
	return r
}

// end shuts the server down and checks that it ends without an error. It may be
// called twice.
func (r *running) end(t *testing.T) {
	t.Helper()
	if r.stop == nil {
		return
	}
	r.stop()
	r.stop = nil
	if err := <-r.done; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if err := r.conn.Close(); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	if t.Failed() {
		t.Log(r.logs.String())
	}
}

func loadConfig(t *testing.T, yaml string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	model := filepath.Join(dir, "model.bin")
	file := filepath.Join(dir, "config.yaml")
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

// within returns a context for one call.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// say returns a chat of one user message.
func say(text string) []*gatewayv1.ChatMessage {
	return []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: text}}
}

// post sends JSON and returns the response with its body.
func (r *running) post(t *testing.T, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodPost, r.http+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, req)
}

func (r *running) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodGet, r.http+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}
