// Package hubert is the engine for CTC models of speech in ONNX files, such as
// HuBERT and wav2vec 2.0. It scores how a text was read aloud.
//
// Packages textnorm and vocab convert the text to the sounds that are expected,
// and packages scoring and ctc compare them with the outputs of the model. All of
// these are pure Go; this package connects them with ONNX Runtime and the SDK.
// Package settings has the parameters of a model.
package hubert

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/hubert/calibration"
	"github.com/lexilingo/modelgateway/engines/hubert/settings"
	"github.com/lexilingo/modelgateway/engines/hubert/vocab"
	"github.com/lexilingo/modelgateway/engines/onnx"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

const (
	// Name is the engine's name in the built-in configuration.
	Name = "hubert"

	version = "1"
)

// Engine loads models from ONNX files.
type Engine struct {
	runtime func() (*onnx.Runtime, error)
}

var _ engines.Engine = (*Engine)(nil)

// New returns the engine. It opens ONNX Runtime at the first use.
func New() *Engine { return &Engine{runtime: sync.OnceValues(onnx.Open)} }

// Describe implements engines.Engine.
func (e *Engine) Describe() engines.Description {
	d := engines.Description{
		Name:      Name,
		Version:   version,
		Tasks:     []enginev1.Task{enginev1.Task_TASK_PRONUNCIATION},
		Libraries: map[string]string{},
		Devices:   []string{onnx.DeviceCPU},
	}
	if runtime, err := e.runtime(); err == nil {
		d.Libraries["onnxruntime"] = runtime.Version()
		d.Devices = runtime.Devices()
	}
	return d
}

// The progress of a load after its steps.
const (
	partStarted = 0.05
	partOpened  = 0.7
	partProbed  = 0.9
)

// maxLoadTime is the time after which a load no longer counts as progress. A
// gigabyte of weights takes seconds, or minutes from a slow network disk.
const maxLoadTime = 15 * time.Minute

// Load implements engines.Engine.
func (e *Engine) Load(ctx context.Context, opts engines.LoadOptions) (engines.Model, error) {
	p, err := settings.Read(opts.Parameters)
	if err != nil {
		return nil, err
	}
	f, err := findFiles(opts.Path, p.File)
	if err != nil {
		return nil, err
	}
	runtime, err := e.runtime()
	if err != nil {
		return nil, err
	}
	defer onnx.Heartbeat(opts.Work, maxLoadTime)()
	report := opts.Report
	if report == nil {
		report = func(float64) {}
	}
	report(partStarted)
	session, err := runtime.Load(ctx, f.model, onnx.Options{Device: opts.Device, Threads: opts.Threads, Unpacked: true})
	if err != nil {
		return nil, err
	}
	report(partOpened)
	m, err := newModel(ctx, session, f, p, opts, report)
	if err != nil {
		session.Close()
		return nil, err
	}
	return m, nil
}

func newModel(ctx context.Context, session *onnx.Session, f files, p settings.Parameters, opts engines.LoadOptions, report func(float64)) (*model, error) {
	network, err := newNetwork(ctx, session, f.name(), p.WindowSeconds)
	if err != nil {
		return nil, err
	}
	report(partProbed)
	vocabulary, err := vocab.Read(f.vocabulary, f.added, network.outputs)
	if err != nil {
		return nil, err
	}
	if err := vocabulary.ReadLexicon(f.lexicon); err != nil {
		return nil, err
	}
	network.normalize, err = readPreprocessor(f.preprocessor)
	if err != nil {
		return nil, err
	}
	formulas, err := calibration.Read(f.calibration, network.ratings != "")
	if err != nil {
		return nil, err
	}
	slog.Info("loaded a CTC model", "file", f.name(), "outputs", network.outputs, "frame_samples", network.stride, "device", session.Device())
	return &model{
		parameters:  p,
		file:        f.name(),
		session:     session,
		network:     network,
		vocabulary:  vocabulary,
		calibration: formulas,
		work:        opts.Work,
	}, nil
}
