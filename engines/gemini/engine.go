// Package gemini is the engine of Google's Gemini API: it answers every task
// from the cloud when this machine cannot. It has no native code and runs in
// the gateway's own process, so that the key is in no other.
//
// The key leaves the process in one way: in the header x-goog-api-key of
// requests to the configured base URL. No redirect is followed, nothing that
// is logged, counted or answered has it, and what the API says in errors is
// searched for it.
package gemini

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/endpoint"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

const (
	// Name is the engine's name in configurations.
	Name = "gemini"

	// MemoryBytes is charged to a model that declares no memory. It cannot be
	// measured, because the engine runs in the server's process.
	MemoryBytes = 10 << 20

	version = "1"
)

// Options are an account's settings.
type Options struct {
	// APIKey is secret.
	APIKey string
	// BaseURL is where the API is, e.g. endpoint.Default; endpoint.Check says which
	// are accepted.
	BaseURL string
	// Timeout bounds one request to the API, its retries and its whole answer
	// included. The caller's own deadline bounds it as well.
	Timeout time.Duration
	// Retries is how often a request that failed before its first byte of answer
	// is sent again: where the API cannot be reached, or answers 408, 500, 502,
	// 503 or 504.
	Retries int
	// Logger takes what the API says to refusals of the account; nil:
	// slog.Default().
	Logger *slog.Logger
}

// Engine makes models of an account.
type Engine struct{ options Options }

var _ engines.Engine = (*Engine)(nil)

// New returns the engine of an account. Nothing is checked before Load.
func New(o Options) *Engine {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Engine{options: o}
}

// Describe implements engines.Engine.
func (e *Engine) Describe() engines.Description {
	return engines.Description{
		Name:    Name,
		Version: version,
		Tasks: []enginev1.Task{
			enginev1.Task_TASK_CHAT,
			enginev1.Task_TASK_GRAMMAR,
			enginev1.Task_TASK_RESPOND,
			enginev1.Task_TASK_EXPLAIN_VIETNAMESE,
			enginev1.Task_TASK_TRANSCRIBE,
			enginev1.Task_TASK_SYNTHESIZE,
			enginev1.Task_TASK_PRONUNCIATION,
		},
		Libraries: map[string]string{"google.golang.org/genai": sdkVersion()},
		// It computes elsewhere, whatever the device.
		Devices: []string{"cpu"},
	}
}

// Load implements engines.Engine. It asks the API nothing: a key that is not
// valid comes to light with the first request.
func (e *Engine) Load(ctx context.Context, opts engines.LoadOptions) (engines.Model, error) {
	if e.options.APIKey == "" {
		return nil, errs.New(errs.EngineUnavailable, "model %q has no key: set GEMINI_API_KEY", opts.ModelName).With("model", opts.ModelName)
	}
	if err := endpoint.Check(e.options.BaseURL); err != nil {
		return nil, errs.New(errs.EngineUnavailable, "gemini.base_url: %v", err).WithCause(err)
	}
	p, err := readParameters(opts)
	if err != nil {
		return nil, err
	}
	c, err := newClient(ctx, e.options, opts.ModelName, opts.Work)
	if err != nil {
		return nil, err
	}
	if opts.Report != nil {
		opts.Report(1)
	}
	return &model{parameters: p, client: c, sounds: semaphore.NewWeighted(maxSounds)}, nil
}
