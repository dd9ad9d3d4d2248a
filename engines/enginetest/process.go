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

// worker is a process of the engine.
type worker struct {
	enginev1.EngineClient
	cfg    Config
	cmd    *exec.Cmd
	client *plugin.Client
	conn   *grpc.ClientConn
}

// start starts the program and connects to it. The process ends with the test.
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
			grpc.MaxCallSendMsgSize(2*engines.MaxMessageBytes), // to test that the engine refuses them
		)},
	})
	t.Cleanup(func() {
		if cmd.Process != nil {
			// go-plugin's Kill waits 2 s for an engine that does not answer.
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
		t.Fatalf("Config.Load fails: %v", err)
	}
	return w
}

// load loads and returns the last message. Unlike engines.AwaitLoad it reads the
// stream to its end, which is part of the contract.
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

// run sends messages and returns all answers.
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

// send opens a run and sends messages. If a send fails, the next Recv returns why.
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

// watchReports opens the Watch stream. The channel is closed at its end.
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

// awaitEnd waits for the end of the process and returns its exit code, or -1 if a
// signal ended it.
func (w *worker) awaitEnd(t *testing.T, within time.Duration) int {
	t.Helper()
	deadline := time.Now().Add(within)
	for !w.client.Exited() {
		if time.Now().After(deadline) {
			t.Fatalf("the process did not end in %v", within)
		}
		time.Sleep(5 * time.Millisecond) // go-plugin has no event for it
	}
	return w.cmd.ProcessState.ExitCode()
}

// stillWorks checks that the engine still runs its first sample.
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

// with returns a changed copy of the load that works.
func (s *suite) with(change func(*enginev1.LoadRequest)) *enginev1.LoadRequest {
	req := proto.Clone(s.cfg.Load).(*enginev1.LoadRequest)
	change(req)
	return req
}

// tail is a writer that keeps the last bytes.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	const size = 4 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-size):]
	return len(p), nil
}

// String returns the last bytes.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.text), "?")
}
