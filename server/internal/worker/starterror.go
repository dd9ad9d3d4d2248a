package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/internal/isolate"
)

// remedy ends every message about an engine that does not start.
const remedy = "; run \"modelgateway doctor\" to see what is missing"

func unavailable(spec Spec, format string, args ...any) *errs.Error {
	why := fmt.Sprintf(format, args...)
	return errs.New(errs.EngineUnavailable, "engine %q does not start: %s%s", spec.Engine, why, remedy).
		With("engine", spec.Engine).With("model", spec.Model)
}

// noSocketDir returns the error of a host that has no folder for sockets. Callers do
// not see the path.
func noSocketDir(err error) *errs.Error {
	if busy := Exhausted(err); busy != nil {
		return busy
	}
	return errs.New(errs.EngineUnavailable, "the folder for the workers' sockets cannot be created"+remedy).WithCause(err)
}

// Exhausted returns MEMORY_BUSY if err says that the operating system has no more
// processes, memory or open files for the server, which passes; else nil.
func Exhausted(err error) *errs.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return errs.New(errs.MemoryBusy, "the operating system has no room for another process; try again later").WithCause(err)
	// gRPC and the worker only say it in words.
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), strings.Contains(err.Error()+LastOutput(err), syscall.EMFILE.Error()):
		return errs.New(errs.MemoryBusy, "too many files are open; try again later, or raise the limit of open files (ulimit -n, LimitNOFILE)").WithCause(err)
	}
	return nil
}

// CheckProgram returns ENGINE_UNAVAILABLE if the engine's program does not exist
// or must not be executed. It does not start the program.
func (s Spec) CheckProgram() error {
	if _, err := exec.LookPath(s.Command[0]); err != nil {
		return unavailable(s, "%s", programError(s.Command[0], err)).WithCause(err)
	}
	return nil
}

// startError returns why a process did not become a worker. It must be called
// after the process has ended.
func (p *process) startError(start context.Context, err error) error {
	program := filepath.Base(p.spec.Command[0])
	var isolated isolate.Error
	switch {
	case p.cmd == nil: // go-plugin did not get as far as the program
		return noSocketDir(err).With("engine", p.spec.Engine).With("model", p.spec.Model)
	case p.pid == 0 && Exhausted(err) != nil:
		return Exhausted(err).With("engine", p.spec.Engine).With("model", p.spec.Model)
	case p.pid == 0 && errors.As(err, &isolated):
		return unavailable(p.spec, "%v", isolated).WithCause(err)
	case p.pid == 0:
		return unavailable(p.spec, "%s", programError(p.cmd.Path, err)).WithCause(err)
	}
	handshake, state := p.outcome()
	printed := p.logs.lastLines(3)
	if handshake != "" {
		printed = append([]string{handshake}, printed...)
	}
	err = withOutput(err, printed...)
	p.log.Warn("the worker did not start", "error", err, "last_output", LastOutput(err))
	switch library := missingLibrary(p.logs.lastLines(tailLines)); {
	case Exhausted(err) != nil:
		return Exhausted(err).With("engine", p.spec.Engine).With("model", p.spec.Model)
	case library != "":
		return unavailable(p.spec, "%s needs the library %s, which is not installed", program, library).WithCause(err)
	case strings.Contains(err.Error(), "incompatible"):
		return unavailable(p.spec, "%s uses another version of the engine protocol", program).WithCause(err)
	case handshake == "" && start.Err() != nil:
		return unavailable(p.spec, "%s printed no handshake in time", program).WithCause(err)
	case handshake == "":
		return unavailable(p.spec, "%s ended before the handshake (%s)", program, state).WithCause(err)
	case strings.Count(handshake, "|") < 3:
		return unavailable(p.spec, "the first line that %s printed is not a handshake", program).WithCause(err)
	default:
		return unavailable(p.spec, "%s printed a handshake but does not answer", program).WithCause(err)
	}
}

// programError describes why the program at path cannot be executed.
func programError(path string, err error) string {
	program := filepath.Base(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, missing := os.Stat(path); missing == nil && filepath.Base(path) != path {
			return program + " needs a dynamic linker or an interpreter that is not installed"
		}
		return "there is no program " + program
	case errors.Is(err, fs.ErrPermission):
		return program + " is not executable"
	case errors.Is(err, syscall.ENOEXEC):
		return program + " is not a program for this machine"
	case strings.Contains(err.Error(), "executable file not found"):
		return "there is no program " + program
	default:
		var errno syscall.Errno // without the path, which callers must not see
		if errors.As(err, &errno) {
			return program + ": " + errno.Error()
		}
		return program + " cannot be started"
	}
}

// outcome returns the first line that the process printed, and how it ended.
func (p *process) outcome() (handshake, state string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.handshake, p.state.String()
}

// missingLibrary returns the library that the dynamic linker did not find, or "".
func missingLibrary(lines []string) string {
	linker := regexp.MustCompile(`error while loading shared libraries: ([^:\s]+):`)
	for _, line := range lines {
		if m := linker.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return ""
}
