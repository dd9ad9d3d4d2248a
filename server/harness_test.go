package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// serveConfig is an environment variable: if it names a configuration, the test
// binary serves it as the command does.
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
	os.Exit(servertest.Main(m))
}

// faultModels is a configuration whose model qwen is engine-fault, and
// speechModels one with every task of speech on it.
const (
	faultModels  = servertest.FaultModels
	speechModels = servertest.SpeechModels
)

// userSays is a chat request as JSON.
const userSays = `{"messages":[{"role":"ROLE_USER","content":"Hello"}]}`

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer = servertest.Log

// running is a server that runs, with clients for it.
type running struct {
	*Server
	test  *servertest.Running
	conn  *grpc.ClientConn
	chat  gatewayv1.ModelGatewayServiceClient
	admin gatewayv1.ModelAdminServiceClient
	http  string // the address of the HTTP server, without a path
	logs  *lockedBuffer
}

// start runs a server until the test ends. In the configuration, MODEL stands
// for a file that exists.
func start(t *testing.T, yaml string) *running {
	t.Helper()
	return startAt(t, yaml, nil)
}

// startAt is start with a clock of the limits of callers.
func startAt(t *testing.T, yaml string, now func() time.Time) *running {
	t.Helper()
	r := &running{}
	r.test = servertest.Start(t, yaml, func(o servertest.Options) (servertest.Server, error) {
		var err error
		r.Server, err = New(Options{Config: o.Config, Log: o.Log, Version: o.Version, Ready: o.Ready, now: now})
		return r.Server, err
	})
	r.conn, r.chat, r.admin = r.test.Conn, r.test.Chat, r.test.Admin
	r.http, r.logs = r.test.URL, r.test.Logs
	return r
}

// stop begins the shutdown of the server.
func (r *running) stop() { r.test.Stop() }

// end shuts the server down and expects a clean end. It may be called twice.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.test.End(t)
}

// post sends JSON over HTTP and returns the answer with its body.
func (r *running) post(t *testing.T, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	return r.test.Post(t, path, body, header...)
}

// get sends a GET over HTTP and returns the answer with its body.
func (r *running) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	return r.test.Get(t, path)
}

func loadConfig(t *testing.T, yaml string) *config.Config {
	t.Helper()
	return servertest.LoadConfig(t, yaml)
}

// Short names of what all tests of servers use.
var (
	within      = servertest.Within
	eventually  = servertest.Eventually
	say         = servertest.UserMessage
	checkStatus = servertest.CheckStatus
	checkHTTP   = servertest.CheckHTTP
	details     = servertest.Details
)

// activeRequests returns how many requests use the model qwen.
func activeRequests(t *testing.T, r *running) int32 {
	t.Helper()
	return r.test.ActiveRequests(t)
}

// load loads a model and waits until it is ready.
func load(t *testing.T, r *running, model string, pin bool) {
	t.Helper()
	stream, err := r.admin.LoadModel(within(t, 20*time.Second), &gatewayv1.LoadModelRequest{Name: model, Pin: pin})
	for err == nil {
		var m *gatewayv1.LoadModelResponse
		if m, err = stream.Recv(); m.GetModel() != nil {
			return
		}
	}
	t.Fatal(err)
}

// occupy fills a model of concurrency 1 and its queue of 1. The returned function ends
// both requests.
func occupy(t *testing.T, r *running, model string) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	for queued := range int32(2) { // the second waits in the queue
		go func() { done <- chatOf(model, stalls)(ctx, r) }()
		eventually(t, func() bool {
			resp, err := r.admin.GetModel(within(t, time.Second), &gatewayv1.GetModelRequest{Name: model})
			return err == nil && resp.GetModel().GetActiveCount() == 1 && resp.GetModel().GetQueuedCount() == queued
		})
	}
	return func() {
		cancel()
		<-done
		<-done
	}
}

// coolDown ends the cooldown of models that failed to load.
func coolDown(t *testing.T, r *running) {
	t.Helper()
	list, err := r.admin.ListModels(within(t, time.Second), &gatewayv1.ListModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list.GetModels() {
		if m.GetState() == gatewayv1.ModelState_MODEL_STATE_FAILED {
			if _, err := r.admin.UnloadModel(within(t, 20*time.Second), &gatewayv1.UnloadModelRequest{Name: m.GetName()}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
