// Package fault is a test engine. It fails on request, and otherwise does every
// task in the cheapest way that gives a valid result. Tests of the server's
// lifecycle and API, and benchmarks that need an engine without cost, run it as
// a real worker process. No default configuration contains it.
//
// A model's parameters select its behaviour (see Parameters). A Chat whose last
// message is "fault: {…}" overrides RunParameters for that call. Invoke has
// methods for the rest. Faults before the handshake are arguments of the program
// (see BeforeServe).
package fault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Parameters are the settings of a fault model, from the configuration.
type Parameters struct {
	// LoadMilliseconds is how long a load takes.
	LoadMilliseconds int `json:"load_ms"`
	// LoadSilent makes a slow load report no progress.
	LoadSilent bool `json:"load_silent"`
	// LoadFault is the failure at the end of the load: "" (none), "crash"
	// (SIGABRT), "exit" (code 3), "hang" (never returns and ignores
	// cancellation), "panic", or "error" (with LoadErrorReason).
	LoadFault string `json:"load_fault"`
	// LoadErrorReason is a reason's name; MODEL_FILE_INVALID by default.
	LoadErrorReason string `json:"load_error_reason"`
	// LoadErrorText is the message of that error.
	LoadErrorText string `json:"load_error_text"`
	// AllocateBytes is how many bytes the load allocates and touches, whatever
	// the configuration declares.
	AllocateBytes int64 `json:"allocate_bytes"`
	// LeakBytesPerSecond is how many bytes are allocated and touched every
	// second after the load.
	LeakBytesPerSecond int64 `json:"leak_bytes_per_second"`
	// IgnoreSIGTERM makes the process ignore SIGTERM.
	IgnoreSIGTERM bool `json:"ignore_sigterm"`
	// CloseMilliseconds is how long Close takes.
	CloseMilliseconds int `json:"close_ms"`
	// SpawnChild starts a child process that keeps the worker's standard output
	// and error open and runs until it is killed.
	SpawnChild bool `json:"spawn_child"`
	// ChatOnly makes a model that implements only Chat.
	ChatOnly bool `json:"chat_only"`
	// HearNumbers makes Transcribe hear numbers; see numbers.
	HearNumbers bool `json:"hear_numbers"`

	RunParameters
}

// RunParameters are the settings of one Chat.
type RunParameters struct {
	// Text is the answer, one word a token; it is repeated if TokenCount is
	// larger.
	Text string `json:"text"`
	// TokenCount is the length of the answer in tokens; the words of Text by
	// default.
	TokenCount int `json:"token_count"`
	// TokenIntervalMicroseconds is the time between two tokens; 0 is no wait.
	TokenIntervalMicroseconds int `json:"token_interval_us"`
	// Fault is the failure after FaultAfterTokens: "" (none), "crash" (SIGABRT),
	// "exit" (code 3), "hang" (ignores cancellation), "stall" (no progress until
	// cancelled), "panic", "error", "flood_log", "flood_stdout" or
	// "flood_response" (all three until cancelled).
	Fault string `json:"fault"`
	// FaultAfterTokens is how many tokens come before Fault.
	FaultAfterTokens int `json:"fault_after_tokens"`
	// ErrorReason is the name of the reason of the fault "error"; INTERNAL by
	// default.
	ErrorReason string `json:"error_reason"`
	// ErrorText is the message of that error.
	ErrorText string `json:"error_text"`
	// ErrorRetryMilliseconds is the retry delay that this error advises; 0 is
	// the default of its reason.
	ErrorRetryMilliseconds int `json:"error_retry_ms"`
}

// defaultText is the answer if Parameters sets none.
const defaultText = "The quick brown fox jumps over the lazy dog. "

// Engine loads fault models.
type Engine struct{}

var _ engines.Engine = Engine{}

// New returns the engine.
func New() Engine { return Engine{} }

// Describe implements engines.Engine.
func (Engine) Describe() engines.Description {
	return engines.Description{
		Name:    "fault",
		Version: "1.0.0",
		Tasks: []enginev1.Task{
			enginev1.Task_TASK_CHAT,
			enginev1.Task_TASK_GRAMMAR,
			enginev1.Task_TASK_RESPOND,
			enginev1.Task_TASK_EXPLAIN_VIETNAMESE,
			enginev1.Task_TASK_TRANSCRIBE,
			enginev1.Task_TASK_SYNTHESIZE,
			enginev1.Task_TASK_PRONUNCIATION,
			enginev1.Task_TASK_INVOKE,
		},
		Devices: []string{"cpu"},
	}
}

// Load implements engines.Engine.
func (Engine) Load(ctx context.Context, opts engines.LoadOptions) (engines.Model, error) {
	p := Parameters{RunParameters: RunParameters{Text: defaultText}}
	if err := engines.DecodeParameters(opts.Parameters, &p); err != nil {
		return nil, err
	}
	if err := checkDevice(opts.Device); err != nil {
		return nil, err
	}
	if err := checkFile(opts.Path); err != nil {
		return nil, err
	}
	if p.IgnoreSIGTERM {
		signal.Ignore(syscall.SIGTERM)
	}
	slog.Info("loading", "load_ms", p.LoadMilliseconds, "allocate_bytes", p.AllocateBytes)
	m := newModel(p, opts.Work)
	if err := m.load(ctx, opts.Report); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if p.ChatOnly {
		return struct {
			engines.Model
			engines.Chatter
		}{m, m}, nil
	}
	return m, nil
}

func checkDevice(device string) error {
	switch device {
	case "", "auto", "cpu":
		return nil
	}
	return errs.New(errs.EngineUnavailable, "device %q is not available; use \"cpu\"", device)
}

// checkFile refuses a file that is missing, unreadable or empty, as a real
// engine does, or that starts with "corrupt". An empty path is accepted.
func checkFile(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errs.New(errs.ModelFileMissing, "the model's file does not exist").WithCause(err)
	}
	if err != nil {
		return errs.New(errs.ModelFileInvalid, "the model's file cannot be read").WithCause(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	head := make([]byte, len("corrupt"))
	n, err := f.Read(head)
	if n == 0 || err != nil || bytes.Equal(head, []byte("corrupt")) {
		return errs.New(errs.ModelFileInvalid, "the model's file is not a model").WithCause(err)
	}
	return nil
}

// load waits, allocates memory, and then fails if LoadFault says so.
func (m *model) load(ctx context.Context, report func(float64)) error {
	const step = 10 * time.Millisecond
	total := time.Duration(m.params.LoadMilliseconds) * time.Millisecond
	for spent := time.Duration(0); spent < total; spent += step {
		if err := pause(ctx, step); err != nil {
			return err
		}
		if !m.params.LoadSilent {
			report(0.5 * float64(spent) / float64(total))
		}
	}
	grown := func(f float64) {
		if !m.params.LoadSilent {
			report(0.5 + 0.5*f)
		}
	}
	if err := m.memory.grow(ctx, m.params.AllocateBytes, grown); err != nil {
		return err
	}
	if m.params.SpawnChild {
		if _, err := spawnChild(); err != nil {
			return err
		}
	}
	if err := m.loadFault(); err != nil {
		return err
	}
	if m.params.LeakBytesPerSecond > 0 {
		m.background.Go(func() { m.memory.leak(m.life, m.params.LeakBytesPerSecond) })
	}
	return nil
}

func (m *model) loadFault() error {
	switch m.params.LoadFault {
	case "":
		return nil
	case "error":
		return errs.New(reasonNamed(m.params.LoadErrorReason, errs.ModelFileInvalid), "%s", cmp.Or(m.params.LoadErrorText, "the load fails as requested"))
	default:
		return misbehave(m.params.LoadFault)
	}
}

func reasonNamed(name string, otherwise errs.Reason) errs.Reason {
	if v, ok := gatewayv1.ErrorReason_value["ERROR_REASON_"+name]; ok {
		return errs.Reason(v)
	}
	return otherwise
}

// pause waits for d. It returns the context's error as soon as ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
