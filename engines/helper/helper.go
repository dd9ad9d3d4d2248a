// Package helper runs small programs, each for one request, that encode or decode sound
// with native libraries: the server has no native code, and what decodes the files of
// strangers should reach nothing. A helper reads frames from its standard input, and
// answers each with one on its standard output.
//
// The kernel refuses a helper all files but those of its program, all sockets and all
// other processes, and limits its memory and time.
package helper

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lexilingo/modelgateway/internal/isolate"
)

// Limits of a helper: far above what one needs, and far below what would harm the
// machine. The memory counts all writable mappings of Go and its threads, used or not.
const (
	dataBytes  = 256 << 20
	openFiles  = 32
	cpuSeconds = 1800
)

// maxMessage is how much of what a helper says is kept, in bytes.
const maxMessage = 1 << 10

// Options say which helper to start.
type Options struct {
	// Path is the program.
	Path string
	// Args are its arguments.
	Args []string
	// OwnGroup makes a process group for it, so that the terminal's Ctrl-C does not end
	// it with the server. A helper of a worker is in the worker's group.
	OwnGroup bool
}

// Process is a helper that runs. It ends with Close, with its context, and with the
// process that started it.
type Process struct {
	cmd   *exec.Cmd
	kill  context.CancelFunc
	in    io.WriteCloser
	out   io.ReadCloser
	said  limitedBuffer
	ended chan struct{} // ends the thread that started it
	once  sync.Once
}

// support is what the kernel can refuse.
var support = sync.OnceValue(isolate.Probe)

// Start starts a helper. It ends with ctx. Close must be called.
func Start(ctx context.Context, opts Options) (*Process, error) {
	ctx, kill := context.WithCancel(ctx)
	p := &Process{cmd: exec.CommandContext(ctx, opts.Path, opts.Args...), kill: kill, ended: make(chan struct{})}
	p.cmd.Env = []string{"PATH=/usr/bin:/bin"} // for the launchers of scripts/build.sh; no keys of the server
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: opts.OwnGroup, Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = &p.said
	var err error
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		p.out, err = p.cmd.StdoutPipe()
	}
	if err == nil {
		err = isolate.Start(p.cmd, isolate.Policy{Read: files(p.cmd.Path), NoSockets: true}, support(), p.ended)
	}
	if err != nil {
		kill()
		return nil, err
	}
	// It has got no input yet, so the limits need not be set before its start.
	if err := limit(p.cmd.Process.Pid); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Exchange sends a frame and returns the answer. Its error has what the helper said. After
// an error, only Close may be called.
func (p *Process) Exchange(data []byte) ([]byte, error) {
	err := WriteFrame(p.in, data)
	if err == nil {
		var answer []byte
		if answer, err = ReadFrame(p.out); err == nil {
			return answer, nil
		}
	}
	p.Close() // what it said has been read then
	if said := strings.TrimSpace(p.said.String()); said != "" {
		return nil, &saidError{said, err}
	}
	return nil, err
}

// Close ends the helper.
func (p *Process) Close() {
	p.once.Do(func() {
		p.kill()
		_ = p.cmd.Wait() // an early end is no error
		close(p.ended)
	})
}

// saidError is the failure of a helper that said why.
type saidError struct {
	said  string
	cause error
}

func (e *saidError) Error() string { return e.said }

func (e *saidError) Unwrap() error { return e.cause }

// limit sets the resource limits of a process. One that has ended needs none.
func limit(pid int) error {
	for which, value := range map[int]uint64{
		unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_NOFILE: openFiles,
		unix.RLIMIT_DATA: dataBytes, unix.RLIMIT_CPU: cpuSeconds,
	} {
		var now unix.Rlimit
		err := unix.Prlimit(pid, which, nil, &now)
		if err == nil {
			value = min(value, now.Max)
			err = unix.Prlimit(pid, which, &unix.Rlimit{Cur: value, Max: value}, nil)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// files returns what a helper must read: its program, and the linker and the libraries
// of the program.
func files(program string) []string {
	programs := []string{program}
	if resolved, err := filepath.EvalSymlinks(program); err == nil && resolved != program {
		programs = append(programs, resolved)
	}
	// A launcher that scripts/build.sh made; see there.
	programs = append(programs, filepath.Join(filepath.Dir(program), "libexec", filepath.Base(program)))
	all := programs
	for _, program := range programs {
		linker, folders := isolate.Needs(program)
		if all = append(all, folders...); linker == "" {
			continue
		}
		all = append(all, linker)
		if resolved, err := filepath.EvalSymlinks(linker); err == nil {
			all = append(all, resolved)
		}
	}
	return all
}

// Beside returns the path of a helper that is installed beside this program.
func Beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// limitedBuffer keeps the beginning of what is written to it.
type limitedBuffer struct{ kept bytes.Buffer } // not embedded: its ReadFrom has no limit

func (b *limitedBuffer) String() string { return b.kept.String() }

// Write implements io.Writer.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := maxMessage - b.kept.Len(); room > 0 {
		b.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
