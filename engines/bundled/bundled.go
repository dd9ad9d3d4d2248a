// Package bundled lists the engines that ship with ModelGateway as programs, with
// what the server needs to know about their models before it starts one.
//
// The server recognises an engine by the program that its command starts, not by
// the name that the configuration gives it: an entry "my-llama" with the command
// [engine-llama] is the llama engine. Any other program is an engine of the
// user's own, about which nothing is known in advance.
package bundled

import (
	"path/filepath"

	"github.com/lexilingo/modelgateway/engines/footprint"
	hubert "github.com/lexilingo/modelgateway/engines/hubert/settings"
	llama "github.com/lexilingo/modelgateway/engines/llama/settings"
	piper "github.com/lexilingo/modelgateway/engines/piper/settings"
	whisper "github.com/lexilingo/modelgateway/engines/whisper/settings"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Engine is an engine that ships with ModelGateway.
type Engine struct {
	// Name is the engine's name in the built-in configuration, in the catalog of
	// models, and in what it says about itself.
	Name string
	// Program is the name of its executable.
	Program string
	// EstimateMemory returns the bytes that the process of a model will need.
	EstimateMemory func(footprint.Model) (int64, error)
	// CheckParameters returns the error with which the load of a model refuses its
	// parameters, INVALID_REQUEST, as far as it does not depend on the model's files.
	CheckParameters func(footprint.Model) error
	// Voices returns the voices of a model from its files; nil if the engine does not
	// speak.
	Voices func(footprint.Model) ([]*gatewayv1.Voice, error)
}

// The names of the engines.
const (
	Llama   = "llama"
	Whisper = "whisper"
	Piper   = "piper"
	Hubert  = "hubert"
)

// Engines returns all bundled engines.
func Engines() []Engine {
	return []Engine{
		{Llama, "engine-llama", llama.EstimateMemory, func(m footprint.Model) error {
			_, err := llama.Read(m.Parameters, m.MaxConcurrency)
			return err
		}, nil},
		{Whisper, "engine-whisper", whisper.EstimateMemory, func(m footprint.Model) error {
			_, err := whisper.Read(m.Parameters)
			return err
		}, nil},
		{Piper, "engine-piper", piper.EstimateMemory, func(m footprint.Model) error {
			_, err := piper.Read(m.Parameters)
			return err
		}, piper.Voices},
		{Hubert, "engine-hubert", hubert.EstimateMemory, func(m footprint.Model) error {
			_, err := hubert.Read(m.Parameters)
			return err
		}, nil},
	}
}

// Of returns the bundled engine that a command starts. It reports false for the
// command of any other engine. The program may have any path, and it may follow
// another one that starts it, as in [numactl, --cpunodebind=0, engine-llama].
func Of(command []string) (Engine, bool) {
	for _, word := range command {
		for _, e := range Engines() {
			if filepath.Base(word) == e.Program {
				return e, true
			}
		}
	}
	return Engine{}, false
}

// NameOf returns the name of the bundled engine that a command starts, empty for
// the command of any other engine.
func NameOf(command []string) string {
	e, _ := Of(command)
	return e.Name
}

// EstimateMemory returns the bytes that the process of a model will need if it is
// started by command: by the engine's own formula, or by footprint.Generic for an
// engine that is not bundled. Errors are MODEL_FILE_MISSING and
// MODEL_FILE_INVALID.
func EstimateMemory(command []string, m footprint.Model) (int64, error) {
	if e, ok := Of(command); ok {
		return e.EstimateMemory(m)
	}
	return footprint.Generic(m)
}

// CheckParameters returns the error with which the load of a model by the engine that
// command starts refuses its parameters. It returns nil for an engine that is not
// bundled.
func CheckParameters(command []string, m footprint.Model) error {
	if e, ok := Of(command); ok {
		return e.CheckParameters(m)
	}
	return nil
}

// Voices returns the voices of a model if it is started by command. An engine that is not
// bundled does not tell its voices: the answer has one, of which nothing is known.
func Voices(command []string, m footprint.Model) ([]*gatewayv1.Voice, error) {
	if e, ok := Of(command); ok && e.Voices != nil {
		return e.Voices(m)
	}
	return []*gatewayv1.Voice{{}}, nil
}
