package openai

import (
	"slices"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func (req *chatRequest) sampling() *gatewayv1.SamplingOptions {
	s := &gatewayv1.SamplingOptions{
		Temperature: req.Temperature, TopP: req.TopP, TopK: req.TopK, MinP: req.MinP, RepeatPenalty: req.RepeatPenalty,
		PresencePenalty: req.PresencePenalty, FrequencyPenalty: req.FrequencyPenalty,
		Stop: slices.DeleteFunc(slices.Clone(req.Stop), func(s string) bool { return s == "" }),
	}
	if s.TopP != nil && *s.TopP == 0 {
		least := float32(minTopP)
		s.TopP = &least
	}
	if req.Seed != nil {
		seed := uint32(*req.Seed) //nolint:gosec // the lower bits of any seed are one
		s.Seed = &seed
	}
	limit := req.MaxTokens
	if req.MaxCompletionTokens != nil {
		limit = req.MaxCompletionTokens
	}
	if limit != nil {
		tokens := int32(min(max(*limit, 0), maxTokens)) // 0 is refused by the typed API
		s.MaxTokens = &tokens
	}
	return s
}
