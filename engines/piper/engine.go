// Package piper is the engine for Piper voices. It implements Synthesize with
// libespeak-ng for phonemes (package phonemiser) and ONNX Runtime for inference
// (package onnx).
//
// libespeak-ng is licensed under the GPL, so a program that links this package is
// too (see NOTICE).
package piper

import (
	"context"
	"errors"
	"sync"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/onnx"
	"github.com/lexilingo/modelgateway/engines/piper/espeak"
	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	"github.com/lexilingo/modelgateway/engines/piper/phonemiser"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

const (
	// Name is the engine's name in configurations.
	Name = "piper"

	version = "1"
)

// Engine loads Piper voices.
type Engine struct {
	runtime func() (*onnx.Runtime, error)
}

var _ engines.Engine = (*Engine)(nil)

// New returns the engine. Its libraries are loaded on first use. A program that
// loads models must call phonemiser.Serve if phonemiser.IsChild reports true.
func New() *Engine {
	return &Engine{runtime: sync.OnceValues(onnx.Open)}
}

// Describe implements engines.Engine.
func (e *Engine) Describe() engines.Description {
	d := engines.Description{
		Name:      Name,
		Version:   version,
		Tasks:     []enginev1.Task{enginev1.Task_TASK_SYNTHESIZE},
		Libraries: map[string]string{"espeak-ng": espeak.Version()},
		Devices:   []string{onnx.DeviceCPU},
	}
	if runtime, err := e.runtime(); err == nil {
		d.Libraries["onnxruntime"] = runtime.Version()
		d.Devices = runtime.Devices()
	}
	return d
}

// Load implements engines.Engine.
func (e *Engine) Load(ctx context.Context, opts engines.LoadOptions) (_ engines.Model, err error) {
	files, err := voicefile.Find(opts.Path)
	if err != nil {
		return nil, err
	}
	config, err := voicefile.Read(files.Config, files.Name)
	if err != nil {
		return nil, err
	}
	p, err := readParameters(opts.Parameters, config)
	if err != nil {
		return nil, err
	}
	runtime, err := e.runtime()
	if err != nil {
		return nil, err
	}
	process := phonemiser.New()
	defer func() {
		if err != nil {
			process.Close()
		}
	}()
	translate, err := translator(ctx, process, config, files.Name)
	if err != nil {
		return nil, err
	}
	report(opts, 0.1)
	// A voice runs one request at a time (voice.sem), with at most max_phonemes.
	session, err := runtime.Load(ctx, files.Model, onnx.Options{Device: opts.Device, Threads: opts.Threads, Arena: true})
	if err != nil {
		return nil, err
	}
	opts.Work.Add(1)
	report(opts, 0.9)
	v, err := newVoice(session, config, files.Name)
	if err == nil {
		err = v.selfTest(ctx)
	}
	if err != nil {
		session.Close()
		return nil, err
	}
	return &model{name: files.Name, parameters: p, voice: v, translate: translate, phonemiser: process, work: opts.Work}, nil
}

func report(opts engines.LoadOptions, fraction float64) {
	if opts.Report != nil {
		opts.Report(fraction)
	}
}

// translator returns p if it can translate for a voice; nil if the voice is trained
// on characters.
func translator(ctx context.Context, p *phonemiser.Phonemiser, config *voicefile.Config, name string) (phonemes.Phonemiser, error) {
	if config.PhonemeType == voicefile.Text {
		return nil, nil
	}
	err := p.CheckVoice(ctx, config.EspeakVoice)
	switch {
	case err == nil:
		return p, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, phonemiser.ErrRefused):
		return nil, errs.New(errs.ModelFileInvalid,
			"the voice %s needs the espeak-ng voice %.40q, which espeak-ng %s does not have: run \"espeak-ng --voices\" for a list",
			name, config.EspeakVoice, espeak.Version()).WithCause(err)
	default:
		return nil, errs.New(errs.EngineUnavailable,
			"espeak-ng cannot be used (%v): install its data (espeak-ng-data), or set %s to the folder that contains it",
			err, espeak.DataVariable).WithCause(err)
	}
}
