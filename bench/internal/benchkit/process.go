package benchkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Process is a program under test.
type Process struct {
	cmd  *exec.Cmd
	done chan error
}

// Start runs a program in its own process group. Its output goes to log.
func Start(log io.Writer, env []string, name string, args ...string) (*Process, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop sends SIGTERM, and after ten seconds SIGKILL to the process group.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
}

// ErrNotReady is returned when a program does not answer in time.
var ErrNotReady = errors.New("the program is not ready")

// WaitHTTP polls url until it answers 200 and returns how long that took.
func (p *Process) WaitHTTP(ctx context.Context, url string, every time.Duration) (time.Duration, error) {
	start := time.Now()
	client := &http.Client{Timeout: time.Second}
	for ctx.Err() == nil {
		if resp, err := client.Get(url); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return time.Since(start), nil
			}
		}
		select {
		case err := <-p.done:
			p.done <- err
			return 0, fmt.Errorf("%w: it ended: %w", ErrNotReady, errors.Join(err))
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
	return 0, fmt.Errorf("%w: %w", ErrNotReady, ctx.Err())
}

// PSSBytes returns the process's proportional set size.
func (p *Process) PSSBytes() (int64, error) { return PSSBytes(p.PID()) }

// FreeAddr returns a free loopback address.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
