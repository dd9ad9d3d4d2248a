// Package engines is the SDK for engines, the programs that run models. An engine
// is a type that implements Engine and a main function that calls Serve.
//
// A worker is the process of one loaded model. The server starts the engine's
// program, tells it what to load, sends it requests, and ends it to free its memory
// (see modelgateway.engine.v1.Engine).
//
// The tasks of a model are given by the interfaces that it implements: Chatter,
// GrammarChecker, Responder, VietnameseExplainer, Transcriber, Synthesizer,
// PronunciationScorer, Invoker. Tasks returns the table of all tasks.
//
// The context of a method ends when the caller cancels. The method must return
// within 100 ms after that. Errors are made with package errs; any other error is
// reported as INTERNAL.
package engines

import (
	"context"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"google.golang.org/protobuf/types/known/structpb"
)

// Engine loads models. Serve runs an engine in a worker process.
type Engine interface {
	// Describe returns what the engine is and what it can do. It must not load a
	// model.
	Describe() Description
	// Load loads a model. It is called once. If ctx ends, Load must return within
	// 100 ms if the library allows it.
	Load(ctx context.Context, opts LoadOptions) (Model, error)
}

// Description describes an engine.
type Description struct {
	// Name is the engine's name, e.g. "llama".
	Name string
	// Version is the engine's own version.
	Version string
	// Tasks are the tasks that its models can do.
	Tasks []enginev1.Task
	// Libraries are the versions of its native libraries, by name.
	Libraries map[string]string
	// Devices are the devices that the engine can compute on, on this machine: "cpu"
	// first.
	Devices []string
}

// LoadOptions says what to load and how.
type LoadOptions struct {
	// ModelName is the model's name in the configuration, for messages.
	ModelName string
	// Path is the model's file or folder.
	Path string
	// Device is "auto", "cpu", "cuda" or "mps". Load must fail with
	// ENGINE_UNAVAILABLE if the machine does not have it.
	Device string
	// Threads is the number of inference threads, at least 1.
	Threads int
	// MaxConcurrency is the number of requests that the model serves at once, at least
	// 1.
	MaxConcurrency int
	// Parameters are the model's parameters from the configuration. Read them with
	// DecodeParameters.
	Parameters *structpb.Struct
	// Report reports how much is loaded, 0 to 1. It may be called often.
	Report func(fraction float64)
	// Work counts units of work, such as tokens or sentences. The server ends a
	// worker that has requests but counts no work.
	Work *WorkCounter
}

// Model is a loaded model. It also implements the interface of at least one task.
type Model interface {
	// Description returns what was loaded, for operators.
	Description() string
	// Close ends the current calls and frees the model.
	Close() error
}

// Chatter continues conversations.
type Chatter interface {
	// Chat calls emit with the pieces of the answer. The last piece has FinishReason
	// and Usage.
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

// AudioSource is the audio of a request, in the format that its config describes.
type AudioSource interface {
	// Next returns the next bytes, and io.EOF after the last.
	Next() ([]byte, error)
}

// Transcriber transcribes speech.
type Transcriber interface {
	// Transcribe calls emit with events. The last event is the final transcript. If
	// cfg has resume_from, the audio up to its committed_time is not to be
	// transcribed, and times count from there: package audio's Reader skips it. An
	// event may say in its offset up to what committed_time all words are final;
	// otherwise that is the end of the last segment.
	Transcribe(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, audio AudioSource, emit func(*gatewayv1.TranscriptionEvent) error) error
}

// Synthesizer turns text into speech.
type Synthesizer interface {
	// Synthesize calls emit with pieces of the speech. The first piece has the sample
	// rate.
	Synthesize(ctx context.Context, req *gatewayv1.SynthesizeRequest, emit func(*gatewayv1.SynthesizeResponse) error) error
}

// PronunciationScorer scores how a text is read aloud.
type PronunciationScorer interface {
	Pronunciation(ctx context.Context, req *gatewayv1.PronunciationRequest) (*gatewayv1.PronunciationResponse, error)
}

// Invoker answers untyped calls by the name of a method.
type Invoker interface {
	Invoke(ctx context.Context, method string, params *structpb.Struct) (*structpb.Struct, error)
}
