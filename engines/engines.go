// Package engines is the SDK for engine workers: a new engine is a folder
// beside this file that implements Engine, and a main that calls Serve.
//
// An engine's process loads one model. The gateway starts it, holds its life in
// hand (see modelgateway.engine.v1.Engine) and ends it to get the memory back.
// What a loaded model can do is told by the task interfaces that it implements:
// Chatter, GrammarChecker, Responder, VietnameseExplainer, Transcriber,
// Synthesizer, PronunciationScorer, Invoker.
//
// Every method gets a context that ends when the caller cancels; the work must
// stop within 100 ms of that. Errors are made with package errs; any other
// error is reported as INTERNAL.
package engines

import (
	"context"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"google.golang.org/protobuf/types/known/structpb"
)

// Engine makes models. Serve runs one in a worker process.
type Engine interface {
	// Describe tells what the engine is. It must not load anything.
	Describe() Description
	// Load opens the model. It is called once. Cancelling ctx abandons the
	// load within 100 ms where the library allows it.
	Load(ctx context.Context, opts LoadOptions) (Model, error)
}

// Description says what an engine is.
type Description struct {
	// Name is the engine's name, e.g. "llama".
	Name string
	// Version is the engine's own version.
	Version string
	// Tasks lists what its models can do.
	Tasks []enginev1.Task
	// Libraries maps native libraries to their versions.
	Libraries map[string]string
	// Devices lists what MODEL_DEVICE could name here, "cpu" first.
	Devices []string
}

// LoadOptions says what to load and how.
type LoadOptions struct {
	// ModelName is the name in the configuration, for messages.
	ModelName string
	// Path is the model's file or folder.
	Path string
	// Device is "auto", "cpu", "cuda" or "mps".
	Device string
	// Threads is the number of inference threads, at least 1.
	Threads int
	// MaxConcurrency is the most calls at once, at least 1.
	MaxConcurrency int
	// Parameters are the model's settings; DecodeParameters checks them.
	Parameters *structpb.Struct
	// Report tells how far the load is, 0 to 1. It may be called often.
	Report func(fraction float64)
	// Work counts units of work (tokens, windows, sentences). The gateway takes
	// a worker that has calls but counts none for a hung one.
	Work *WorkCounter
}

// Model is a loaded model. It also implements one or more task interfaces.
type Model interface {
	// Description tells what was loaded, for people.
	Description() string
	// Close ends calls under way and frees the model.
	Close() error
}

// Chatter continues conversations.
type Chatter interface {
	// Chat emits the answer's pieces; the last carries FinishReason and Usage.
	Chat(ctx context.Context, req *gatewayv1.ChatRequest, emit func(*gatewayv1.StreamChatResponse) error) error
}

// GrammarChecker corrects English text.
type GrammarChecker interface {
	Grammar(ctx context.Context, req *gatewayv1.GrammarRequest) (*gatewayv1.GrammarResponse, error)
}

// Responder answers a learner as a tutor.
type Responder interface {
	Respond(ctx context.Context, req *gatewayv1.RespondRequest) (*gatewayv1.RespondResponse, error)
}

// VietnameseExplainer explains English in Vietnamese.
type VietnameseExplainer interface {
	ExplainVietnamese(ctx context.Context, req *gatewayv1.ExplainVietnameseRequest) (*gatewayv1.ExplainVietnameseResponse, error)
}

// AudioSource gives a call's audio bytes, as its config describes them.
type AudioSource interface {
	// Next returns the next bytes, or io.EOF after the last.
	Next() ([]byte, error)
}

// Transcriber turns speech into text.
type Transcriber interface {
	// Transcribe emits events; the last is the final transcript.
	Transcribe(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, audio AudioSource, emit func(*gatewayv1.TranscriptionEvent) error) error
}

// Synthesizer speaks.
type Synthesizer interface {
	// Synthesize emits samples, the sample rate in the first piece.
	Synthesize(ctx context.Context, req *gatewayv1.SynthesizeRequest, emit func(*gatewayv1.SynthesizeResponse) error) error
}

// PronunciationScorer scores reading aloud.
type PronunciationScorer interface {
	Pronunciation(ctx context.Context, req *gatewayv1.PronunciationRequest) (*gatewayv1.PronunciationResponse, error)
}

// Invoker answers loosely typed calls by method name.
type Invoker interface {
	Invoke(ctx context.Context, method string, params *structpb.Struct) (*structpb.Struct, error)
}
