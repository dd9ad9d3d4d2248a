// Package settings has the parameters of a model of engine-llama: defaults, checks and
// the memory estimate that depends on them. It is pure Go, so that the server can
// estimate memory without the engine's library. The engine checks the parameters when
// it loads a model.
//
// To add a parameter, see "A new parameter of an engine" in ARCHITECTURE.md. The files
// are parameters.go, sampling.go and memory.go here, sampling.go and engine.go of
// engines/llama, and the table in engines/llama/README.md.
package settings

import (
	"cmp"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
)

// Parameters are the parameters of a model in the configuration.
type Parameters struct {
	// Context is the number of tokens that all conversations share. It is cut to
	// what the model was trained on.
	Context int `json:"n_ctx"`
	// Batch is the largest number of tokens in a batch.
	Batch int `json:"n_batch"`
	// MicroBatch is the largest number of tokens that are computed together; 0 is
	// the default of the device. It limits the memory of a computation and, on the
	// CPU, the time until a cancel takes effect: the current step of a layer is
	// always finished.
	MicroBatch int `json:"n_ubatch"`
	// Parallel is the largest number of conversations that are decoded together;
	// 0 is the model's max_concurrency.
	Parallel int `json:"parallel"`
	// DraftTokens is the largest number of tokens of answers that are drafted from the
	// text before them and from what their grammars force, and computed together; 0 is
	// none. Drafts change no answer but by the rounding of numbers, and are made only as
	// far as they save time.
	DraftTokens int `json:"draft_tokens"`
	// GPULayers is the number of layers on an accelerator; a negative number is
	// all of them.
	GPULayers int `json:"n_gpu_layers"`
	// LoadMode is LoadRead or LoadMap.
	LoadMode string `json:"load_mode"`
	// ChatTemplate is a Jinja template that replaces the one in the file.
	ChatTemplate string `json:"chat_template"`
	// MaxTokens limits answers whose request sets no limit.
	MaxTokens int `json:"max_tokens"`

	// How tokens are chosen if the request does not say. A field that is nil has the
	// value that the file or the model's family recommends: see Sampling.
	Temperature      *float32 `json:"temperature"`
	TopP             *float32 `json:"top_p"`
	TopK             *int     `json:"top_k"`
	MinP             *float32 `json:"min_p"`
	RepeatPenalty    *float32 `json:"repeat_penalty"`
	PresencePenalty  *float32 `json:"presence_penalty"`
	FrequencyPenalty *float32 `json:"frequency_penalty"`
}

// The values of load_mode: read the weights into memory, or map the file.
const (
	LoadRead = "read"
	LoadMap  = "map"
)

const (
	// cpuMicroBatch costs less than 3 % of the speed at which two cores read
	// prompts with 256, the fastest.
	cpuMicroBatch = 128
	// acceleratorMicroBatch is llama.cpp's default: smaller ones leave an
	// accelerator idle, and a computation there cannot be interrupted anyway.
	acceleratorMicroBatch = 512

	// maxDraft keeps the outputs of a batch, which are as wide as the vocabulary, small.
	maxDraft = 64

	// maxParallel is the largest number of conversations that llama.cpp can tell
	// apart with the slots that each one gets.
	maxParallel = 64
)

// Defaults returns the parameters of a model that sets none.
func Defaults() Parameters {
	return Parameters{
		Context:     8192,
		Batch:       2048,
		DraftTokens: 8,
		GPULayers:   -1,
		LoadMode:    LoadRead,
		MaxTokens:   512,
	}
}

// Read reads and checks the parameters of a model with the given max_concurrency.
// A parameter that is unknown or out of range is INVALID_REQUEST.
func Read(from *structpb.Struct, maxConcurrency int) (Parameters, error) {
	p := Defaults()
	if err := engines.DecodeParameters(from, &p); err != nil {
		return p, err
	}
	if p.Parallel == 0 {
		p.Parallel = max(1, maxConcurrency)
	}
	return p, cmp.Or(
		engines.CheckRange("n_ctx", p.Context, 256, 1<<22),
		engines.CheckRange("n_batch", p.Batch, 32, 1<<16),
		engines.CheckRange("n_ubatch", cmp.Or(p.MicroBatch, cpuMicroBatch), 32, 1<<16),
		engines.CheckRange("parallel", p.Parallel, 1, maxParallel),
		engines.CheckRange("draft_tokens", p.DraftTokens, 0, maxDraft),
		engines.CheckRange("max_tokens", p.MaxTokens, 1, 1<<22),
		engines.CheckOneOf("load_mode", p.LoadMode, LoadRead, LoadMap),
		p.checkSampling(),
	)
}

// MicroBatchOn returns the number of tokens that are computed together on the CPU
// or on an accelerator.
func (p Parameters) MicroBatchOn(accelerator bool) int {
	size := cpuMicroBatch
	if accelerator {
		size = acceleratorMicroBatch
	}
	return min(cmp.Or(p.MicroBatch, size), p.Batch)
}

// ContextTokens returns the size of the context for a model that was trained on
// contexts of the given size; 0 if that is not known.
func (p Parameters) ContextTokens(trained int) int {
	if trained > 0 {
		return min(p.Context, trained)
	}
	return p.Context
}
