package llama

import (
	"cmp"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/llama/llamacpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// parameters are a model's settings in the configuration.
type parameters struct {
	// Context is the room in tokens that all conversations at work share; it is
	// cut to what the model was trained on.
	Context int `json:"n_ctx"`
	// Batch is the most tokens of one batch.
	Batch int `json:"n_batch"`
	// MicroBatch is the most tokens that are computed at once; 0: what suits the
	// device. It bounds the memory of a computation and, on the CPU, how long a
	// cancel waits: until the layer's step that is being computed is done.
	MicroBatch int `json:"n_ubatch"`
	// Parallel is the most conversations that are decoded together; 0: the
	// model's max_concurrency.
	Parallel int `json:"parallel"`
	// GPULayers is the number of layers on an accelerator; negative: all.
	GPULayers int `json:"n_gpu_layers"`
	// LoadMode is "read" or "map" (llamacpp.LoadMode).
	LoadMode string `json:"load_mode"`
	// ChatTemplate, in Jinja, replaces the one in the file.
	ChatTemplate string `json:"chat_template"`
	// MaxTokens bounds answers whose request sets no limit.
	MaxTokens int `json:"max_tokens"`

	// How tokens are chosen where a request does not say.
	Temperature      float32 `json:"temperature"`
	TopP             float32 `json:"top_p"`
	TopK             int     `json:"top_k"`
	MinP             float32 `json:"min_p"`
	RepeatPenalty    float32 `json:"repeat_penalty"`
	PresencePenalty  float32 `json:"presence_penalty"`
	FrequencyPenalty float32 `json:"frequency_penalty"`
}

// defaults of the settings. The sampling is Qwen3's own advice for answers
// without thinking; it suits other chat models too.
func defaults() parameters {
	return parameters{
		Context:         8192,
		Batch:           2048,
		GPULayers:       -1,
		LoadMode:        "read",
		MaxTokens:       512,
		Temperature:     0.7,
		TopP:            0.8,
		TopK:            20,
		RepeatPenalty:   1,
		PresencePenalty: 1.5,
	}
}

// readParameters checks the settings of a model.
func readParameters(opts engines.LoadOptions) (parameters, error) {
	p := defaults()
	if err := engines.DecodeParameters(opts.Parameters, &p); err != nil {
		return p, err
	}
	if p.Parallel == 0 {
		p.Parallel = max(1, opts.MaxConcurrency)
	}
	if err := cmp.Or(
		engines.CheckRange("n_ctx", p.Context, 256, 1<<22),
		engines.CheckRange("n_batch", p.Batch, 32, 1<<16),
		engines.CheckRange("n_ubatch", cmp.Or(p.MicroBatch, cpuMicroBatch), 32, 1<<16),
		engines.CheckRange("parallel", p.Parallel, 1, maxParallel),
		engines.CheckRange("max_tokens", p.MaxTokens, 1, 1<<22),
		engines.CheckRange("top_k", p.TopK, 0, 1<<20),
	); err != nil {
		return p, err
	}
	if _, ok := loadModes()[p.LoadMode]; !ok {
		return p, errs.New(errs.InvalidRequest, `parameter "load_mode" must be "read" or "map", not %q`, p.LoadMode).
			With("parameter", "load_mode")
	}
	return p, nil
}

const (
	// cpuMicroBatch is one that costs less than 3 % of the speed at which two
	// cores read prompts with 256, the best.
	cpuMicroBatch = 128
	// acceleratorMicroBatch is llama.cpp's own: small ones leave an accelerator
	// idle, and it cannot be stopped in the midst of one anyway.
	acceleratorMicroBatch = 512
)

// microBatch returns the tokens that are computed at once on a device.
func (p parameters) microBatch(accelerated bool) int {
	size := cpuMicroBatch
	if accelerated {
		size = acceleratorMicroBatch
	}
	return min(cmp.Or(p.MicroBatch, size), p.Batch)
}

// maxParallel keeps slots within what llama.cpp tells apart.
const maxParallel = 64

func loadModes() map[string]llamacpp.LoadMode {
	return map[string]llamacpp.LoadMode{"read": llamacpp.LoadRead, "map": llamacpp.LoadMap}
}

// penaltyWindow is how many tokens penalties look back, as in llama-server.
const penaltyWindow = 64

// sampling puts a request's options over the model's settings.
func (p parameters) sampling(o *gatewayv1.SamplingOptions, seed uint32) llamacpp.Sampling {
	s := llamacpp.Sampling{
		Temperature:      p.Temperature,
		TopP:             p.TopP,
		TopK:             p.TopK,
		MinP:             p.MinP,
		RepeatPenalty:    p.RepeatPenalty,
		PresencePenalty:  p.PresencePenalty,
		FrequencyPenalty: p.FrequencyPenalty,
		PenaltyWindow:    penaltyWindow,
		Seed:             seed,
	}
	set(&s.Temperature, o.Temperature)
	set(&s.TopP, o.TopP)
	set(&s.MinP, o.MinP)
	set(&s.RepeatPenalty, o.RepeatPenalty)
	set(&s.PresencePenalty, o.PresencePenalty)
	set(&s.FrequencyPenalty, o.FrequencyPenalty)
	set(&s.Seed, o.Seed)
	if o.TopK != nil {
		s.TopK = int(o.GetTopK())
	}
	return s
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
