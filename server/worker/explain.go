package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// remedy ends every message about an engine that does not start.
const remedy = "; \"modelgateway doctor\" tells what is missing"

func unavailable(spec Spec, format string, args ...any) *errs.Error {
	why := fmt.Sprintf(format, args...)
	return errs.New(errs.EngineUnavailable, "engine %q does not start: %s%s", spec.Engine, why, remedy).
		With("engine", spec.Engine).With("model", spec.Model)
}

// CheckProgram returns ENGINE_UNAVAILABLE if the engine's program is not there or
// may not be executed. It starts nothing.
func (s Spec) CheckProgram() error {
	if _, err := exec.LookPath(s.Command[0]); err != nil {
		return unavailable(s, "%s", cannotStart(filepath.Base(s.Command[0]), err)).WithCause(err)
	}
	return nil
}

// startError explains why a process did not become a worker. It is called when
// the process has ended.
func (p *process) startError(start context.Context, err error) error {
	program := filepath.Base(p.spec.Command[0])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return errs.New(errs.MemoryBusy, "the machine cannot start another process now").WithCause(err)
	case p.pid == 0:
		return unavailable(p.spec, "%s", cannotStart(program, err)).WithCause(err)
	}
	greeting, state := p.outcome()
	said := quoteLines(p.logs.lastLines(3))
	switch library := missingLibrary(p.logs.lastLines(tailLines)); {
	case library != "":
		return unavailable(p.spec, "%s needs the library %s, which is not installed", program, library).WithCause(err)
	case err != nil && strings.Contains(err.Error(), "incompatible"):
		return unavailable(p.spec, "%s speaks another version of the protocol (it printed %q)", program, greeting).WithCause(err)
	case greeting == "" && start.Err() != nil:
		return unavailable(p.spec, "%s did not shake hands in time%s", program, said).WithCause(err)
	case greeting == "":
		return unavailable(p.spec, "%s ended before the handshake (%s)%s", program, state, said).WithCause(err)
	case strings.Count(greeting, "|") < 3:
		return unavailable(p.spec, "%s printed %q in place of a handshake%s", program, shorten(greeting), said).WithCause(err)
	default:
		return unavailable(p.spec, "%s shook hands but does not answer%s", program, said).WithCause(err)
	}
}

func cannotStart(program string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no program " + program + ", or what runs it is missing"
	case errors.Is(err, fs.ErrPermission):
		return program + " may not be executed"
	case errors.Is(err, syscall.ENOEXEC):
		return program + " is no program for this machine"
	case strings.Contains(err.Error(), "executable file not found"):
		return "there is no program " + program
	default:
		return program + ": " + err.Error()
	}
}

func (p *process) outcome() (greeting, state string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.greeting, p.state.String()
}

// exitError tells why the process ended by itself; nil if it was stopped.
func (p *process) exitError() error {
	p.mu.Lock()
	stopped, state, overLimit := p.stopped, p.state, p.overLimit
	p.mu.Unlock()
	if stopped || state == nil {
		return nil
	}
	how := state.String() // e.g. "signal: killed", "exit status 3"
	if overLimit {
		how = fmt.Sprintf("it went over its memory limit of %d bytes", p.spec.MemoryLimitBytes)
	}
	message := fmt.Sprintf("the engine %q of model %q crashed (%s)", p.spec.Engine, p.spec.Model, how)
	if last := p.logs.lastLine(); last != "" {
		message += "; its last word: " + shorten(last)
	}
	return errs.New(errs.EngineCrashed, "%s", message).With("model", p.spec.Model)
}

// missingLibrary finds what the dynamic linker did not.
func missingLibrary(lines []string) string {
	linker := regexp.MustCompile(`error while loading shared libraries: ([^:\s]+):`)
	for _, line := range lines {
		if m := linker.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return ""
}

func quoteLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	for i, line := range lines {
		lines[i] = shorten(line)
	}
	return ": " + strings.Join(lines, " / ")
}

// shorten cuts a text that a program printed to what fits a message.
func shorten(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
