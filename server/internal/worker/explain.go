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
	said := p.logs.lastLines(3)
	if greeting != "" {
		said = append([]string{greeting}, said...)
	}
	err = withWords(err, said...)
	p.log.Warn("the worker did not start", "error", err, "last_words", LastWords(err))
	switch library := missingLibrary(p.logs.lastLines(tailLines)); {
	case library != "":
		return unavailable(p.spec, "%s needs the library %s, which is not installed", program, library).WithCause(err)
	case strings.Contains(err.Error(), "incompatible"):
		return unavailable(p.spec, "%s speaks another version of the protocol", program).WithCause(err)
	case greeting == "" && start.Err() != nil:
		return unavailable(p.spec, "%s did not shake hands in time", program).WithCause(err)
	case greeting == "":
		return unavailable(p.spec, "%s ended before the handshake (%s)", program, state).WithCause(err)
	case strings.Count(greeting, "|") < 3:
		return unavailable(p.spec, "%s printed something else in place of a handshake", program).WithCause(err)
	default:
		return unavailable(p.spec, "%s shook hands but does not answer", program).WithCause(err)
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
		var errno syscall.Errno // without the path, which is nobody else's business
		if errors.As(err, &errno) {
			return program + ": " + errno.Error()
		}
		return program + " cannot be started"
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
	crash := errs.New(errs.EngineCrashed, "the engine %q of model %q crashed (%s)", p.spec.Engine, p.spec.Model, how)
	cause := fmt.Errorf("%w: %s", ErrEnded, how)
	if last := p.logs.lastLine(); last != "" {
		cause = withWords(cause, last)
	}
	return crash.WithCause(cause).With("model", p.spec.Model)
}

// spoken is the cause of a failure with what the worker printed last. That may
// be anything, a caller's text among it: it is for operators and is never sent.
type spoken struct {
	error
	words string
}

// Unwrap returns the cause.
func (s *spoken) Unwrap() error { return s.error }

func withWords(err error, lines ...string) error {
	if err == nil {
		err = errors.New("no error of the start itself")
	}
	if len(lines) == 0 {
		return err
	}
	short := make([]string, len(lines))
	for i, line := range lines {
		short[i] = shorten(line)
	}
	return &spoken{error: err, words: strings.Join(short, " / ")}
}

// LastWords returns what a worker printed last before the failure that err tells
// of, "" if nothing is known. It is for operators: not part of any message that
// callers are sent.
func LastWords(err error) string {
	if s := (*spoken)(nil); errors.As(err, &s) {
		return s.words
	}
	return ""
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

// shorten cuts a text that a program printed to what fits a message.
func shorten(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
