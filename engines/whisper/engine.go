// Package whisper is the speech-to-text engine for whisper.cpp's ggml files. It
// implements Transcribe for whole clips and live streams.
//
// It calls whisper.cpp through a thin layer (package whispercpp), checks files before
// whisper.cpp reads them (modelfile), assembles words from tokens (transcript), skips
// silence (speech), and keeps committed text of live streams unchanged (agreement).
// Package settings has the parameters of a model.
package whisper

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/ggml"
	"github.com/lexilingo/modelgateway/engines/whisper/modelfile"
	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

const (
	// Name is the engine's name in configurations.
	Name = "whisper"

	version = "1"

	// windowSeconds is the length of the encoder's input.
	windowSeconds = settings.WindowSeconds
)

// Engine loads whisper.cpp's ggml files.
type Engine struct {
	backend func() (*whispercpp.Backend, error)
}

var _ engines.Engine = (*Engine)(nil)

// New returns the engine. whisper.cpp is initialised on first use.
func New() *Engine {
	return &Engine{backend: sync.OnceValues(func() (*whispercpp.Backend, error) {
		return whispercpp.Open(slog.Default())
	})}
}

// Describe implements engines.Engine.
func (e *Engine) Describe() engines.Description {
	d := engines.Description{
		Name:      Name,
		Version:   version,
		Tasks:     []enginev1.Task{enginev1.Task_TASK_TRANSCRIBE},
		Libraries: map[string]string{"whisper.cpp": whispercpp.Version()},
	}
	if _, err := e.backend(); err == nil {
		d.Devices = ggml.Devices()
	}
	return d
}

// Load implements engines.Engine.
func (e *Engine) Load(ctx context.Context, opts engines.LoadOptions) (engines.Model, error) {
	p, err := readParameters(opts)
	if err != nil {
		return nil, err
	}
	header, err := modelfile.Check(opts.Path)
	if err != nil {
		return nil, err
	}
	if p.VADModel != "" {
		if err := modelfile.CheckVAD(p.VADModel); err != nil {
			return nil, err
		}
	}
	backend, err := e.backend()
	if err != nil {
		return nil, err
	}
	weights, err := backend.LoadModel(ctx, whispercpp.ModelOptions{
		Path:           opts.Path,
		Device:         opts.Device,
		FlashAttention: p.FlashAttention,
		WeightsAt:      header.WeightsAt,
		Size:           header.Size,
		Progress:       opts.Report,
	})
	if err != nil {
		return nil, loadError(ctx, opts, err)
	}
	m := newModel(backend, weights, p, opts)
	if err := m.selfTest(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// loadError converts an error of whisper.cpp.
func loadError(ctx context.Context, opts engines.LoadOptions, err error) error {
	var typed *errs.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &typed):
		return typed
	default:
		return errs.New(errs.ModelFileInvalid,
			"the model's file %s cannot be loaded by whisper.cpp %s: %v; fetch it again",
			filepath.Base(opts.Path), whispercpp.Version(), err).WithCause(err)
	}
}
