package llama

import (
	"github.com/lexilingo/modelgateway/engines/llama/llamacpp"
	"github.com/lexilingo/modelgateway/engines/llama/settings"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// loadModes maps the values of the parameter load_mode to llama.cpp's.
func loadModes() map[string]llamacpp.LoadMode {
	return map[string]llamacpp.LoadMode{settings.LoadRead: llamacpp.LoadRead, settings.LoadMap: llamacpp.LoadMap}
}

// penaltyWindow is the number of past tokens that penalties count, as in
// llama-server.
const penaltyWindow = 64

// sampling returns a request's options, with the model's for those that it does not
// set.
func sampling(model settings.Sampling, o *gatewayv1.SamplingOptions, seed uint32) llamacpp.Sampling {
	s := llamacpp.Sampling{
		Temperature:      model.Temperature,
		TopP:             model.TopP,
		TopK:             model.TopK,
		MinP:             model.MinP,
		RepeatPenalty:    model.RepeatPenalty,
		PresencePenalty:  model.PresencePenalty,
		FrequencyPenalty: model.FrequencyPenalty,
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
