package enginetest

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// worker is a running engine process.
type worker struct {
	enginev1.EngineClient
	cfg    Config
	cmd    *exec.Cmd
	client *plugin.Client
	conn   *grpc.ClientConn
}

// start starts the program and shakes hands with it. It is ended with the test.
func (s *suite) start(t *testing.T) *worker {
	t.Helper()
	return s.startCommand(t, s.cfg.Command)
}

func (s *suite) startCommand(t *testing.T, command []string) *worker {
	t.Helper()
	stderr := &tail{}
	cmd := exec.Command(command[0], command[1:]...)
	for _, key := range []string{"PATH", "HOME", "LD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, s.cfg.Env...)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  engines.Handshake(),
		Plugins:          engines.HostPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              cmd,
		SkipHostEnv:      true,
		Stderr:           stderr,
		Logger:           hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(engines.MaxMessageBytes),
			grpc.MaxCallSendMsgSize(2*engines.MaxMessageBytes), // to see what the engine does
		)},
	})
	t.Cleanup(func() {
		if cmd.Process != nil {
			// First, since go-plugin waits 2 s for an engine that is stopped.
			_ = syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
		}
		client.Kill()
		if t.Failed() {
			t.Logf("the end of the engine's standard error:\n%s", stderr)
		}
	})
	protocol, err := client.Client()
	if err != nil {
		t.Fatalf("the engine does not start: %v\n%s", err, stderr)
	}
	raw, err := protocol.Dispense(engines.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	return &worker{
		EngineClient: raw.(enginev1.EngineClient), cfg: s.cfg, cmd: cmd, client: client,
		conn: protocol.(*plugin.GRPCClient).Conn,
	}
}

// startLoaded starts a worker and loads the good model.
func (s *suite) startLoaded(t *testing.T) *worker {
	t.Helper()
	w := s.start(t)
	if _, err := w.load(t.Context(), s.cfg.Load, nil); err != nil {
		t.Fatalf("the good load fails: %v", err)
	}
	return w
}

// load loads and returns the last message.
func (w *worker) load(ctx context.Context, req *enginev1.LoadRequest, each func(*enginev1.LoadResponse)) (*enginev1.LoadResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.LoadTimeout)
	defer cancel()
	stream, err := w.Load(ctx, req)
	if err != nil {
		return nil, err
	}
	var last *enginev1.LoadResponse
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		if each != nil {
			each(resp)
		}
		last = resp
	}
}

// run sends a sample and returns all that came.
func (w *worker) run(ctx context.Context, messages []*enginev1.RunRequest) ([]*enginev1.RunResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.RunTimeout)
	defer cancel()
	stream, err := w.send(ctx, messages)
	if err != nil {
		return nil, err
	}
	var answer []*enginev1.RunResponse
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return answer, nil
		}
		if err != nil {
			return answer, err
		}
		answer = append(answer, resp)
	}
}

// send opens a run. A send that fails has its cause in the next Recv.
func (w *worker) send(ctx context.Context, messages []*enginev1.RunRequest) (enginev1.Engine_RunClient, error) {
	stream, err := w.Run(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return stream, stream.CloseSend()
}

// watchReports opens the Watch stream; reports come until it ends.
func (w *worker) watchReports(ctx context.Context, t *testing.T) <-chan *enginev1.WatchResponse {
	t.Helper()
	stream, err := w.Watch(ctx, &enginev1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan *enginev1.WatchResponse)
	go func() {
		defer close(reports)
		for {
			r, err := stream.Recv()
			if err != nil {
				return
			}
			select {
			case reports <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	return reports
}

// awaitEnd waits for the process's end and returns its exit code; -1 is a
// signal.
func (w *worker) awaitEnd(t *testing.T, within time.Duration) int {
	t.Helper()
	deadline := time.Now().Add(within)
	for !w.client.Exited() {
		if time.Now().After(deadline) {
			t.Fatalf("the process did not end in %v", within)
		}
		time.Sleep(5 * time.Millisecond) // go-plugin tells by no event
	}
	return w.cmd.ProcessState.ExitCode()
}

// stillWorks checks that the engine still answers and does its first sample.
func (w *worker) stillWorks(t *testing.T) {
	t.Helper()
	if w.client.Exited() {
		t.Fatalf("the process ended: %v", w.cmd.ProcessState)
	}
	if len(w.cfg.Samples) == 0 {
		return
	}
	if _, err := w.run(t.Context(), w.cfg.Samples[0].Messages); err != nil {
		t.Errorf("the next run fails: %v", err)
	}
}

// with returns a copy of the good load, changed.
func (s *suite) with(change func(*enginev1.LoadRequest)) *enginev1.LoadRequest {
	req := proto.Clone(s.cfg.Load).(*enginev1.LoadRequest)
	change(req)
	return req
}

// tail keeps the end of what an engine printed.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	const most = 4 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(p), nil
}

// String returns it.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.text), "?")
}
