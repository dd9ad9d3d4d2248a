// Package llama is the engine for language models in GGUF files. It uses llama.cpp
// and answers Chat, Grammar, Respond and ExplainVietnamese.
//
// It decodes several conversations together in one context (package batching),
// renders the chat template of the model's file (package chatprompt), and calls
// llama.cpp through a thin layer (package llamacpp). Package settings has the
// parameters of a model.
package llama

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/ggml"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
	"github.com/lexilingo/modelgateway/engines/llama/chatprompt"
	"github.com/lexilingo/modelgateway/engines/llama/gguffile"
	"github.com/lexilingo/modelgateway/engines/llama/llamacpp"
	"github.com/lexilingo/modelgateway/engines/llama/settings"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

const (
	// Name is the engine's name in the built-in configuration.
	Name = "llama"

	version = "1"
)

// Engine loads models from GGUF files.
type Engine struct {
	backend func() (*llamacpp.Backend, error)
}

var _ engines.Engine = (*Engine)(nil)

// New returns the engine. It initialises llama.cpp at the first use.
func New() *Engine {
	return &Engine{backend: sync.OnceValues(func() (*llamacpp.Backend, error) {
		return llamacpp.Open(slog.Default())
	})}
}

// Describe implements engines.Engine.
func (e *Engine) Describe() engines.Description {
	d := engines.Description{
		Name:    Name,
		Version: version,
		Tasks: []enginev1.Task{
			enginev1.Task_TASK_CHAT,
			enginev1.Task_TASK_GRAMMAR,
			enginev1.Task_TASK_RESPOND,
			enginev1.Task_TASK_EXPLAIN_VIETNAMESE,
		},
		Libraries: map[string]string{"llama.cpp": llamacpp.Version()},
	}
	if _, err := e.backend(); err == nil {
		d.Devices = ggml.Devices()
	}
	return d
}

// Load implements engines.Engine.
func (e *Engine) Load(ctx context.Context, opts engines.LoadOptions) (engines.Model, error) {
	p, err := settings.Read(opts.Parameters, opts.MaxConcurrency)
	if err != nil {
		return nil, err
	}
	if err := gguffile.Check(opts.Path); err != nil {
		return nil, err
	}
	backend, err := e.backend()
	if err != nil {
		return nil, err
	}
	weights, err := backend.LoadModel(llamacpp.ModelOptions{
		Path:      opts.Path,
		Device:    opts.Device,
		GPULayers: p.GPULayers,
		Mode:      loadModes()[p.LoadMode],
		Progress: func(fraction float64) bool {
			if opts.Report != nil {
				opts.Report(fraction)
			}
			return ctx.Err() == nil
		},
	})
	if err != nil {
		return nil, loadError(ctx, opts, err)
	}
	m, err := newModel(backend, weights, p, opts)
	if err != nil {
		weights.Close()
		return nil, err
	}
	return m, nil
}

// loadError converts llama.cpp's refusal to an error with a reason.
func loadError(ctx context.Context, opts engines.LoadOptions, err error) error {
	var typed *errs.Error
	switch {
	case errors.Is(err, llamacpp.ErrCancelled):
		return ctx.Err()
	case errors.As(err, &typed):
		return typed
	default:
		return errs.New(errs.ModelFileInvalid,
			"the model file %s cannot be used: llama.cpp says: %v; use a chat model that llama.cpp %s supports, or fetch the file again",
			filepath.Base(opts.Path), err, llamacpp.Version()).WithCause(err)
	}
}

// newModel creates the context and starts the scheduler.
func newModel(backend *llamacpp.Backend, weights *llamacpp.Model, p settings.Parameters, opts engines.LoadOptions) (*model, error) {
	if !weights.Generates() {
		return nil, errs.New(errs.ModelFileInvalid,
			"the model file %s cannot be used: its architecture reads text but does not write any; use a chat model", filepath.Base(opts.Path))
	}
	vocab := newVocabulary(weights.Vocab())
	source := p.ChatTemplate
	if source == "" {
		source = weights.ChatTemplate()
	}
	prompter, err := chatprompt.NewPrompter(source, vocab)
	if err != nil {
		return nil, errs.New(errs.ModelFileInvalid,
			"the chat template of %s is not valid: %v; set the model's parameter chat_template", filepath.Base(opts.Path), err).
			WithCause(err)
	}
	if format := prompter.Fallback(); format != "" {
		slog.Warn("the model's file has no chat template; use a model that was trained to chat, or set the parameter chat_template",
			"model", opts.ModelName, "path", opts.Path, "format", format)
	}
	calls := prompter.CallFormat()
	vocab.write(calls.Prefix + calls.Middle + calls.Between + calls.Suffix)
	slots := p.Parallel * slotsPerSequence
	p.MicroBatch = p.MicroBatchOn(opts.Device != ggml.DeviceCPU && p.GPULayers != 0 && len(ggml.Accelerators()) > 0)
	context, err := weights.NewContext(backend, llamacpp.ContextOptions{
		Tokens:     p.ContextTokens(weights.TrainedContext()),
		Batch:      p.Batch,
		MicroBatch: p.MicroBatch,
		Sequences:  slots,
		Outputs:    slots + p.DraftTokens,
		Threads:    max(1, opts.Threads),
	})
	if err != nil {
		return nil, errs.New(errs.MemoryBusy,
			"there is not enough memory for a context of %d tokens (%v); lower the model's parameter n_ctx", p.Context, err).WithCause(err)
	}
	return &model{
		parameters: p,
		sampling:   p.Sampling(weights.Metadata),
		weights:    weights,
		vocab:      vocab,
		prompter:   prompter,
		context:    context,
		seed:       rand.Uint32,
		scheduler: batching.New(batching.Config{
			ContextTokens:      min(context.Tokens(), context.SequenceTokens()),
			BatchTokens:        p.Batch,
			PromptTokens:       p.MicroBatch,
			DraftTokens:        p.DraftTokens,
			Parallel:           p.Parallel,
			Slots:              slots,
			KeepsEveryPosition: weights.KeepsEveryPosition(),
			Work:               opts.Work.Add,
		}, &executor{context: context, work: opts.Work}, vocab),
	}, nil
}

// slotsPerSequence is the number of conversations that the cache keeps for each
// active one. The others stay cached for their next request; they use only cells
// that are free.
const slotsPerSequence = 2
