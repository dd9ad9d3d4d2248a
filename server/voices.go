package server

import (
	"log/slog"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/bundled"
	"github.com/lexilingo/modelgateway/engines/footprint"
	"github.com/lexilingo/modelgateway/engines/gemini"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/api"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// voiceSources returns the models that speak, in the order in which they are tried.
func voiceSources(cfg *config.Config, log *slog.Logger) ([]api.VoiceSource, error) {
	var sources []api.VoiceSource
	for _, name := range cfg.Tasks[engines.TaskName(enginev1.Task_TASK_SYNTHESIZE)].Candidates() {
		if cfg.Models[name].Absent != "" {
			continue
		}
		spec, err := modelSpec(cfg, name)
		if err != nil {
			return nil, err
		}
		engine, load := cfg.Engines[cfg.Models[name].Engine], spec.Worker.Load
		model := footprint.Model{Path: load.GetPath(), Parameters: load.GetParameters(), MaxConcurrency: spec.MaxConcurrency}
		read := func() ([]*gatewayv1.Voice, error) { return bundled.Voices(engine.Command, model) }
		if cfg.InProcess(cfg.Models[name].Engine) {
			read = func() ([]*gatewayv1.Voice, error) { return gemini.Voices(model.Parameters) }
		}
		sources = append(sources, api.VoiceSource{Model: name, Cloud: engine.Cloud, Voices: unchanged(log.With("model", name), spec.Fingerprint, read)})
	}
	return sources, nil
}

// unchanged returns a function that reads the voices of a model again only if its files
// are others, or could not be read. The caller may change what it returns. An error is
// logged if it is another than before.
func unchanged(log *slog.Logger, fingerprint func() string, read func() ([]*gatewayv1.Voice, error)) func() ([]*gatewayv1.Voice, error) {
	var mu sync.Mutex
	var known, logged string
	var voices []*gatewayv1.Voice
	return func() ([]*gatewayv1.Voice, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := fingerprint(); now != known {
			found, err := read()
			if err != nil {
				known, voices = "", nil
				if text := err.Error(); text != logged {
					logged = text
					log.Warn("the voices of a model cannot be read, and are not listed", "error", text)
				}
				return nil, err
			}
			known, voices, logged = now, found, ""
		}
		copies := make([]*gatewayv1.Voice, len(voices))
		for i, v := range voices {
			copies[i] = proto.CloneOf(v)
		}
		return copies, nil
	}
}
