// Package piper is the engine for Piper voices: it answers Synthesize, with
// phonemes by libespeak-ng (package espeak) and inference by ONNX Runtime
// (package onnx).
//
// libespeak-ng is under the GPL; so is a program that links this package (see
// NOTICE).
package piper

import (
	"context"
	"sync"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/onnx"
	"github.com/lexilingo/modelgateway/engines/piper/espeak"
	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

const (
	// Name is the engine's name in configurations.
	Name = "piper"

	version = "1"
)

// Engine makes models of Piper voices. There is one in a process: libespeak-ng
// has one state.
type Engine struct {
	runtime func() (*onnx.Runtime, error)
	espeak  func() (*espeak.Library, error)
}

var _ engines.Engine = (*Engine)(nil)

// New returns the engine. Its libraries are made ready at the first use, once.
func New() *Engine {
	return &Engine{runtime: sync.OnceValues(onnx.Open), espeak: sync.OnceValues(espeak.Open)}
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
func (e *Engine) Load(ctx context.Context, opts engines.LoadOptions) (engines.Model, error) {
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
	translate, err := e.translator(config, files.Name)
	if err != nil {
		return nil, err
	}
	report(opts, 0.1)
	session, err := runtime.Load(ctx, files.Model, onnx.Options{Device: opts.Device, Threads: opts.Threads})
	if err != nil {
		return nil, err
	}
	opts.Work.Add(1)
	report(opts, 0.9)
	v, err := newVoice(session, config, files.Name)
	if err == nil {
		err = v.try(ctx)
	}
	if err != nil {
		session.Close()
		return nil, err
	}
	return &model{name: files.Name, parameters: p, voice: v, translate: translate, work: opts.Work}, nil
}

func report(opts engines.LoadOptions, fraction float64) {
	if opts.Report != nil {
		opts.Report(fraction)
	}
}

// translator returns what makes phonemes of text; nil for voices that take the
// text's own characters.
func (e *Engine) translator(config *voicefile.Config, name string) (phonemes.Phonemiser, error) {
	if config.PhonemeType == voicefile.Text {
		return nil, nil
	}
	library, err := e.espeak()
	if err != nil {
		return nil, errs.New(errs.EngineUnavailable,
			"espeak-ng cannot be used (%v); install its data (espeak-ng-data), or set %s to the folder that holds it",
			err, espeak.DataVariable).WithCause(err)
	}
	if err := library.CheckVoice(config.EspeakVoice); err != nil {
		return nil, errs.New(errs.ModelFileInvalid,
			"the voice %s needs espeak-ng's voice %.40q, which espeak-ng %s does not have; see espeak-ng --voices",
			name, config.EspeakVoice, espeak.Version()).WithCause(err)
	}
	return translator{library}, nil
}

// translator lets package phonemes use libespeak-ng.
type translator struct{ library *espeak.Library }

// Translate implements phonemes.Phonemiser.
func (t translator) Translate(ctx context.Context, voice, text string) ([]phonemes.Translation, error) {
	clauses, err := t.library.Clauses(ctx, voice, text)
	if err != nil {
		return nil, err
	}
	out := make([]phonemes.Translation, len(clauses))
	for i, c := range clauses {
		out[i] = phonemes.Translation(c)
	}
	return out, nil
}
