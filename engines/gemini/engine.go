// Package gemini is the engine for Google's Gemini API. It does every task in the
// cloud, as a fallback for local models. It has no native code and runs in the
// server's process, so that no other process gets the API key.
//
// The key leaves the process only in the header x-goog-api-key of requests to the
// configured base URL. Redirects are not followed, logs, metrics and answers never
// contain the key, and it is removed from the API's error texts.
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

// Options are the settings of an account.
type Options struct {
	// APIKey is secret.
	APIKey string
	// BaseURL is the address of the API, such as endpoint.Default. It must pass
	// endpoint.Check.
	BaseURL string
	// Timeout limits one request to the API, including its retries and its whole
	// answer. The caller's deadline applies as well.
	Timeout time.Duration
	// Retries is how often a request is sent again if the API cannot be reached
	// or answers 408, 500, 502, 503 or 504 before the first byte of the answer.
	Retries int
	// Logger logs requests that the API refuses; nil means slog.Default().
	Logger *slog.Logger
}

// Engine loads models of an account.
type Engine struct{ options Options }

var _ engines.Engine = (*Engine)(nil)

// New returns the engine of an account. Load checks the options.
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
		// The device does not matter: the API computes.
		Devices: []string{"cpu"},
	}
}

// Load implements engines.Engine. It does not call the API: an invalid key is
// reported by the first request.
func (e *Engine) Load(ctx context.Context, opts engines.LoadOptions) (engines.Model, error) {
	if e.options.APIKey == "" {
		return nil, errs.New(errs.EngineUnavailable, "model %q has no API key: set GEMINI_API_KEY", opts.ModelName).With("model", opts.ModelName)
	}
	if err := endpoint.Check(e.options.BaseURL); err != nil {
		return nil, errs.New(errs.EngineUnavailable, "gemini.base_url: %v", err).WithCause(err)
	}
	p, err := readParameters(opts.Parameters)
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
