package worker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"

	"github.com/lexilingo/modelgateway/internal/isolate"
)

// pipeTimeout is how long the pipes of a reaped process are read, in case that a
// process which has left its group holds them open.
const pipeTimeout = 200 * time.Millisecond

var errStopped = errors.New("the worker was stopped during its start")

// process is one worker's operating system process, from its start until it is
// reaped. It is a runner.Runner for go-plugin, which does the handshake. It kills
// the process itself, because go-plugin has a fixed grace of 2 s and does not kill
// process groups.
type process struct {
	host  *Host
	spec  Spec
	log   *slog.Logger
	logs  *logSink
	meter meter

	handshakeR *io.PipeReader // read by go-plugin: the first line, then the end
	handshakeW *io.PipeWriter

	done chan struct{} // closed when the process is reaped and its pipes are read

	policy isolate.Policy // set with cmd

	mu          sync.Mutex
	cmd         *exec.Cmd
	cgroup      *cgroup     // nil if it has none
	pid         int         // 0 before the start
	reaped      bool        // the pid may be that of another process
	stopped     bool        // Stop or kill was called
	silent      bool        // it was killed because it ended its Watch stream
	grace       *time.Timer // until the kill
	handshake   string      // the first line of its output
	state       *os.ProcessState
	killsBefore int  // of oomCounter, at the start
	outOfMemory bool // the kernel killed it for lack of memory
}

var _ runner.Runner = (*process)(nil)

func newProcess(h *Host, spec Spec) *process {
	log := h.log.With("model", spec.Model, "engine", spec.Engine)
	r, w := io.Pipe()
	return &process{
		host: h, spec: spec, log: log, logs: newLogSink(log),
		handshakeR: r, handshakeW: w, done: make(chan struct{}),
	}
}

// Start implements runner.Runner.
func (p *process) Start(context.Context) error {
	err := p.start()
	if err != nil {
		p.handshakeW.CloseWithError(err)
		close(p.done)
	}
	return err
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return errStopped
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = outW.Close() }() // the worker has its own copy
	errR, errW, err := os.Pipe()
	if err != nil {
		return errors.Join(err, outR.Close())
	}
	defer func() { _ = errW.Close() }()
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = nil, outW, errW
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.host.reaper.start(p.cmd, func() error { return isolate.Start(p.cmd, p.policy, p.host.support, p.done) }); err != nil {
		return errors.Join(err, outR.Close(), errR.Close())
	}
	p.pid = p.cmd.Process.Pid
	p.host.watchdog.add(p.pid)
	p.confine()
	p.log.Info("worker started", "pid", p.pid, "program", p.cmd.Path)

	var readers sync.WaitGroup
	readers.Go(func() { p.readOutput(outR) })
	readers.Go(func() { p.logs.drain(errR) })
	go p.reap(&readers, outR, errR)
	return nil
}

// confine sets the kernel's limits. A limit that cannot be set is logged, and the
// worker runs without it: its memory is measured as well.
func (p *process) confine() {
	limit := p.spec.MemoryLimitBytes
	if parent := p.host.cgroups; parent != nil && limit > 0 {
		cg, err := parent.make(limit)
		if err == nil {
			p.cgroup = cg
			err = cg.add(p.pid)
		}
		if err == nil {
			limit = 0 // no need for RLIMIT_DATA
		} else {
			p.log.Warn("cannot put the worker into a cgroup; its memory limit is RLIMIT_DATA", "error", err)
		}
	}
	p.killsBefore = p.host.oom.kills(p.cgroup)
	if err := limitProcess(p.pid, limit); err != nil && !errors.Is(err, unix.ESRCH) {
		p.log.Warn("cannot set all resource limits of the worker", "error", err)
	}
}

// readOutput gives go-plugin the first line and then io.EOF, and logs the rest: a
// worker that prints a lot must not block.
func (p *process) readOutput(r io.Reader) {
	reader := bufio.NewReaderSize(r, handshakeBytes)
	line, err := readHandshake(reader)
	p.mu.Lock()
	p.handshake = line
	p.mu.Unlock()
	if err == nil {
		_, err = io.WriteString(p.handshakeW, line+"\n")
	}
	p.handshakeW.CloseWithError(errors.Join(err, io.EOF))
	p.logs.drain(reader)
}

// reap waits until the process has ended, kills the rest of its group, and reaps
// it. The group must be killed first: its number may be reused after that.
func (p *process) reap(readers *sync.WaitGroup, pipes ...*os.File) {
	awaitExit(p.pid)
	p.mu.Lock()
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	p.host.watchdog.remove(p.pid)
	_ = p.host.reaper.wait(p.cmd) // its error repeats ProcessState
	p.reaped = true
	p.state = p.cmd.ProcessState
	p.outOfMemory = wasKilled(p.state) && p.host.oom.claim(p.cgroup, p.killsBefore)
	if p.grace != nil {
		p.grace.Stop()
	}
	p.mu.Unlock()

	for _, pipe := range pipes {
		_ = pipe.SetReadDeadline(time.Now().Add(pipeTimeout))
	}
	readers.Wait()
	for _, pipe := range pipes {
		_ = pipe.Close()
	}
	p.logs.finish()
	ended := []any{"pid", p.pid, "state", p.state.String(), "stopped", p.wasStopped()}
	if output := LastOutput(p.exitError()); output != "" {
		ended = append(ended, "last_output", output)
	}
	p.log.Info("worker ended", ended...)
	close(p.done)
}

// awaitExit blocks until the process is a zombie; it does not reap it.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// removeCgroup removes the cgroup of the process, which has ended.
func (p *process) removeCgroup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cgroup.remove(); err != nil {
		p.log.Warn("cannot remove the worker's cgroup", "error", err)
	}
}

// memoryBytes measures the process and its children.
func (p *process) memoryBytes() (int64, error) {
	p.mu.Lock()
	reaped := p.reaped
	p.mu.Unlock()
	if reaped {
		return 0, os.ErrProcessDone // the pid may be that of another process
	}
	return p.meter.measure(p.pid)
}

// stop asks the process to end and kills its group after grace.
func (p *process) stop(grace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return // it has ended already
	}
	p.stopped = true
	if p.pid == 0 {
		return
	}
	if grace <= 0 {
		p.killGroupLocked()
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be a zombie already
	_ = syscall.Kill(-p.pid, syscall.SIGCONT) // a suspended process does not act on SIGTERM
	if p.grace != nil {
		p.grace.Stop()
	}
	p.grace = time.AfterFunc(grace, p.killGroup)
}

// signalGroup sends a signal to the process group, unless the process was told to
// end.
func (p *process) signalGroup(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 || p.reaped || p.stopped {
		return
	}
	_ = syscall.Kill(-p.pid, sig) // it may be a zombie already
}

// killSilent kills a process that goes on without reports. It reports false if the
// process has ended, or was stopped and has its grace.
func (p *process) killSilent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = !p.reaped && !p.stopped
	if p.silent {
		p.killGroupLocked()
	}
	return p.silent
}

func (p *process) killGroup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killGroupLocked()
}

func (p *process) killGroupLocked() {
	if p.pid == 0 || p.reaped {
		return
	}
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // it may be a zombie already
}

func (p *process) wasStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

// Wait implements runner.Runner.
func (p *process) Wait(context.Context) error {
	<-p.done
	return nil
}

// Kill implements runner.Runner.
func (p *process) Kill(context.Context) error {
	p.stop(0)
	return nil
}

// Stdout implements runner.Runner.
func (p *process) Stdout() io.ReadCloser { return p.handshakeR }

// Stderr implements runner.Runner. It is empty: logSink reads the logs.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (p *process) Name() string { return p.spec.Engine }

// ID implements runner.Runner. go-plugin cleans up only processes that have one.
func (p *process) ID() string { return p.spec.Model + "/" + p.spec.Engine }

// Diagnose implements runner.Runner; startError says more.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner: both processes see the same files.
func (p *process) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
