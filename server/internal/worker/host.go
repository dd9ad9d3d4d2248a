package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/internal/isolate"
)

// defaultStartTimeout limits the start, the handshake and Describe together. The
// dynamic linker may have to map gigabytes of CUDA libraries in that time.
const defaultStartTimeout = 20 * time.Second

// Options are the settings of a Host.
type Options struct {
	// Logger gets the logs of the host and of the workers. Default:
	// slog.Default().
	Logger *slog.Logger
	// RuntimeDir is where the private folder for the workers' sockets is created.
	// Default: $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR or os.TempDir(), whichever can be
	// used first. It should be short: the path of a socket has at most 107 bytes.
	RuntimeDir string
	// StartTimeout limits a worker's start, handshake and first answer together.
	// Default: 20 s.
	StartTimeout time.Duration
	// NoCgroups sets memory limits by RLIMIT_DATA even where cgroups can be
	// created.
	NoCgroups bool
	// ReapOrphans makes the server the parent of processes whose parents in a worker
	// have ended, and reaps them. It is for programs that start no process but by the
	// host: the exit status of any other would be lost.
	ReapOrphans bool
	// Private are files and folders of the server. A worker may not read them because a
	// model or a program is in the same folder or above it.
	Private []string
}

// Host starts workers as processes. Each has its own process group, a minimal
// environment, resource limits, few rights (see package isolate) and a parent-death
// signal. The connections have no TLS: only the server's user can enter the folder with
// the sockets.
type Host struct {
	log      *slog.Logger
	timeout  time.Duration
	dir      *socketDir
	reaper   *reaper       // nil if orphans are not reaped
	watchdog *watchdog     // nil without a shell
	cgroups  *cgroupParent // nil if none can be made
	oom      *oomCounter
	support  isolate.Support
	private  []string

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup        // launches, and workers not cleaned up; added to under mu
	live   map[*process]struct{} // the processes that busy counts
}

var _ Launcher = (*Host)(nil)

// NewHost returns a host. Close ends its workers.
func NewHost(opts Options) (*Host, error) {
	h := &Host{log: opts.Logger, timeout: opts.StartTimeout, live: map[*process]struct{}{}}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.timeout <= 0 {
		h.timeout = defaultStartTimeout
	}
	for _, path := range opts.Private {
		if absolute, err := filepath.Abs(path); err == nil && path != "" {
			path = absolute
		}
		h.private = append(h.private, path)
		if path != "" && isolate.Readable(real(path)) {
			h.log.Warn("workers can read a file or folder with secrets, because it is in a folder of the system: move it", "path", path)
		}
	}
	var err error
	if h.dir, err = newSocketDir(opts.RuntimeDir); err != nil {
		return nil, fmt.Errorf("create the folder for the workers' sockets: %w", err)
	}
	if !opts.NoCgroups {
		if h.cgroups, err = findCgroupParent(); err != nil {
			h.cgroups = nil
			h.log.Info("cannot create cgroups; the memory limit of workers is RLIMIT_DATA", "reason", err)
		}
	}
	h.oom = newOOMCounter()
	if opts.ReapOrphans {
		if h.reaper, err = startReaper(); err != nil {
			h.log.Info("cannot reap the processes that workers leave", "reason", err)
		}
	}
	if h.watchdog, err = startWatchdog(h.reaper); err != nil {
		h.log.Info("cannot start the watchdog; if the server is killed, children of workers may survive", "reason", err)
	}
	h.support = isolate.Probe()
	for _, lack := range h.support.Lacks() {
		h.log.Warn("the kernel cannot isolate workers fully", "reason", lack)
	}
	return h, nil
}

// Close kills the workers that still run, waits until they are reaped, and removes
// the sockets. Stop the workers first to let them end normally.
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
	h.watchdog.close()
	h.reaper.close()
	return h.dir.remove()
}

// begin registers a process before it starts, so that Close finds it.
func (h *Host) begin(p *process) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errs.ShuttingDown()
	}
	h.busy.Add(1)
	h.live[p] = struct{}{}
	return nil
}

// cleanUp unregisters a process that has ended.
func (h *Host) cleanUp(p *process, client *plugin.Client) {
	client.Kill() // closes the connection and removes the sockets
	p.removeCgroup()
	h.forget(p)
}

// forget undoes begin.
func (h *Host) forget(p *process) {
	h.mu.Lock()
	delete(h.live, p)
	h.mu.Unlock()
	h.busy.Done()
}

// Ready returns why no worker can start; nil if none of the reasons that do not
// depend on the worker is known.
func (h *Host) Ready() error {
	if _, err := h.dir.use(); err != nil {
		return noSocketDir(err)
	}
	return nil
}

// Launch implements Launcher.
func (h *Host) Launch(ctx context.Context, spec Spec) (Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, errs.From(err)
	}
	if len(spec.Command) == 0 {
		return nil, unavailable(spec, "it has no command in the configuration")
	}
	p := newProcess(h, spec)
	if err := h.begin(p); err != nil {
		return nil, err
	}
	sockets, err := h.dir.use()
	if err != nil {
		h.forget(p)
		p.log.Error("cannot create the folder for the workers' sockets", "error", err)
		return nil, noSocketDir(err).With("engine", spec.Engine).With("model", spec.Model)
	}
	client := h.newClient(p, sockets)
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

// newClient returns the go-plugin client of one worker, whose sockets are below the
// folder sockets.
func (h *Host) newClient(p *process, sockets string) *plugin.Client {
	printed := &lineWriter{sink: p.logs}
	return plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  engines.Handshake(),
		Plugins:          engines.HostPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     h.timeout,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: sockets},
		SyncStdout:       printed,
		SyncStderr:       printed,
		// startError and exitError say more than the log of go-plugin.
		Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(engines.MaxMessageBytes), grpc.MaxCallSendMsgSize(engines.MaxMessageBytes)),
			grpc.WithStaticStreamWindowSize(engines.StreamWindow),
			grpc.WithStaticConnWindowSize(engines.ConnWindow),
		},
		RunnerFunc: func(_ hclog.Logger, handshake *exec.Cmd, own string) (runner.Runner, error) {
			cmd := exec.Command(p.spec.Command[0], p.spec.Command[1:]...)
			cmd.Env = workerEnvironment(p.spec, handshake.Env, own)
			p.cmd = cmd
			p.policy = h.policy(p.spec, cmd.Path, cmd.Env, own)
			return p, nil
		},
	})
}

// connect starts the process, reads its handshake and calls Describe.
func connect(ctx context.Context, client *plugin.Client, p *process) (*processWorker, error) {
	if _, err := client.Start(); err != nil {
		p.mu.Lock()
		began := p.cmd != nil
		p.mu.Unlock()
		if !began { // Start was not called, so nothing else closes it
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
		return nil, errors.New("go-plugin returned a client that is not an engine")
	}
	desc, err := engine.Describe(ctx, &enginev1.DescribeRequest{})
	if err != nil {
		return nil, err
	}
	return newProcessWorker(p, engine, desc), nil
}
