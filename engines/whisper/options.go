package whisper

import (
	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

// parameters are the parameters of a model with the path of its voice activity model,
// and methods that convert them to whisper.cpp's options. Package settings has the
// parameters themselves, their defaults and checks.
type parameters struct{ settings.Parameters }

// readParameters reads and checks the parameters of a model. It makes VADModel the path
// of the file: settings.Parameters has a path relative to the model's folder.
func readParameters(opts engines.LoadOptions) (parameters, error) {
	p, err := settings.Read(opts.Parameters)
	if err != nil {
		return parameters{}, err
	}
	p.VADModel = p.VADPath(opts.Path)
	return parameters{p}, nil
}

// options returns whisper.cpp's options, without those of a request.
func (p parameters) options(threads int) whispercpp.Options {
	return whispercpp.Options{
		Threads:                 threads,
		BeamSize:                p.BeamSize,
		BestOf:                  p.BestOf,
		MaxTextContext:          p.MaxTextContext,
		Temperature:             float32(p.Temperature),
		TemperatureIncrement:    float32(p.TemperatureIncrement),
		EntropyThreshold:        float32(p.EntropyThreshold),
		LogProbThreshold:        float32(p.LogProbThreshold),
		NoSpeechThreshold:       float32(p.NoSpeechThreshold),
		SuppressNonSpeechTokens: p.SuppressNonSpeechTokens,
	}
}

// vad returns whisper.cpp's options of voice activity detection. VADSamplesOverlap is
// not one of them: it is used where the speech is cut out (transcription.go).
func (p parameters) vad() whispercpp.VADOptions {
	return whispercpp.VADOptions{
		Threshold:  float32(p.VADThreshold),
		MinSpeech:  p.VADMinSpeechMS,
		MinSilence: p.VADMinSilenceMS,
		MaxSpeech:  float32(p.VADMaxSpeech),
		Pad:        p.VADSpeechPadMS,
	}
}

// reserve returns the audio at the end of a block, in frames, in which speech may
// have begun that is still too short to be detected, and as much again before it.
func (p parameters) reserve() int {
	return 2 * (p.VADMinSpeechMS + p.VADMinSilenceMS + p.VADSpeechPadMS) / int(frame.Milliseconds())
}
