package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// defaultStartTimeout bounds start, handshake and Describe; the dynamic linker
// may have gigabytes of CUDA to map in it.
const defaultStartTimeout = 20 * time.Second

// Options are the settings of a Host.
type Options struct {
	// Logger takes the host's logs and those of the workers. Default:
	// slog.Default().
	Logger *slog.Logger
	// RuntimeDir is where the private folder for the workers' sockets is made.
	// Default: os.TempDir(). Keep it short: a socket's path has at most 107
	// bytes.
	RuntimeDir string
	// StartTimeout bounds a worker's start, handshake and first answer.
	// Default: 20 s.
	StartTimeout time.Duration
	// NoCgroups leaves the memory limit to RLIMIT_DATA even where cgroups can
	// be made.
	NoCgroups bool
}

// Host starts workers and holds them: each in its own process group, with a
// minimal environment, resource limits, no new privileges and a parent-death
// signal. It speaks to them without TLS: the sockets lie in a folder that only
// the gateway's user can enter, and who is that user can trace the processes
// anyway.
type Host struct {
	log      *slog.Logger
	timeout  time.Duration
	dir      *socketDir
	spawner  *spawner
	watchdog *watchdog     // nil without a shell
	cgroups  *cgroupParent // nil if none can be made

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup        // Launches, and workers not cleaned up; joined under mu
	live   map[*process]struct{} // what busy counts
}

var _ Launcher = (*Host)(nil)

// NewHost makes a host. Close it to end its workers.
func NewHost(opts Options) (*Host, error) {
	h := &Host{log: opts.Logger, timeout: opts.StartTimeout, live: map[*process]struct{}{}}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.timeout <= 0 {
		h.timeout = defaultStartTimeout
	}
	var err error
	if h.dir, err = newSocketDir(opts.RuntimeDir); err != nil {
		return nil, fmt.Errorf("make the folder for the workers' sockets: %w", err)
	}
	if !opts.NoCgroups {
		if h.cgroups, err = findCgroupParent(); err != nil {
			h.cgroups = nil
			h.log.Info("no cgroups for workers; their memory limit is RLIMIT_DATA", "reason", err)
		}
	}
	if h.watchdog, err = startWatchdog(); err != nil {
		h.log.Info("no watchdog for the workers' children", "reason", err)
	}
	h.spawner = newSpawner()
	return h, nil
}

// Close kills the workers that still run, waits until they are reaped, and
// removes what the host made. Stop them first to let them end by themselves.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	live := make([]*process, 0, len(h.live))
	for p := range h.live {
		live = append(live, p)
	}
	h.mu.Unlock()
	for _, p := range live {
		p.stop(0)
	}
	h.busy.Wait()
	h.spawner.close()
	h.watchdog.close()
	return h.dir.remove()
}

// begin registers a process before its start, so that Close finds it.
func (h *Host) begin(p *process) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errs.New(errs.Draining, "the server is shutting down")
	}
	h.busy.Add(1)
	h.live[p] = struct{}{}
	return nil
}

// cleanUp ends what begin began, after the process's end.
func (h *Host) cleanUp(p *process, client *plugin.Client) {
	client.Kill() // closes the connection and removes the sockets
	p.removeCgroup()
	h.mu.Lock()
	delete(h.live, p)
	h.mu.Unlock()
	h.busy.Done()
}

// Launch implements Launcher.
func (h *Host) Launch(ctx context.Context, spec Spec) (Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, errs.From(err)
	}
	if len(spec.Command) == 0 {
		return nil, unavailable(spec, "the configuration names no program for it")
	}
	p := newProcess(h, spec)
	if err := h.begin(p); err != nil {
		return nil, err
	}
	client := h.newClient(p)
	start, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	unhook := context.AfterFunc(start, func() { p.stop(0) })
	w, err := connect(start, client, p)
	if err == nil && unhook() {
		go w.finish(client)
		return w, nil
	}
	p.stop(0)
	<-p.done
	h.cleanUp(p, client)
	if ctx.Err() != nil {
		return nil, errs.From(ctx.Err())
	}
	return nil, p.startError(start, err)
}

// newClient makes go-plugin's side of one worker.
func (h *Host) newClient(p *process) *plugin.Client {
	printed := &lineWriter{sink: p.logs}
	return plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  engines.Handshake(),
		Plugins:          engines.HostPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     h.timeout,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: h.dir.path},
		SyncStdout:       printed,
		SyncStderr:       printed,
		// go-plugin tells nothing that the process does not tell better.
		Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(engines.MaxMessageBytes),
			grpc.MaxCallSendMsgSize(engines.MaxMessageBytes),
		)},
		RunnerFunc: func(_ hclog.Logger, handshake *exec.Cmd, _ string) (runner.Runner, error) {
			cmd := exec.Command(p.spec.Command[0], p.spec.Command[1:]...)
			cmd.Env = workerEnvironment(p.spec, handshake.Env)
			p.cmd = cmd
			return p, nil
		},
	})
}

// connect starts the process, shakes hands and asks what it is.
func connect(ctx context.Context, client *plugin.Client, p *process) (*instance, error) {
	if _, err := client.Start(); err != nil {
		p.mu.Lock()
		began := p.cmd != nil
		p.mu.Unlock()
		if !began { // Start was not reached, so nobody else closes it
			close(p.done)
		}
		return nil, err
	}
	protocol, err := client.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(engines.PluginName)
	if err != nil {
		return nil, err
	}
	engine, ok := raw.(enginev1.EngineClient)
	if !ok {
		return nil, errors.New("go-plugin dispensed something else than an engine")
	}
	desc, err := engine.Describe(ctx, &enginev1.DescribeRequest{})
	if err != nil {
		return nil, err
	}
	return newInstance(p, engine, desc), nil
}
