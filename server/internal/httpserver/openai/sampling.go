package openai

import (
	"slices"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// sampling has the fields of a request that say how tokens are sampled.
type sampling struct {
	Temperature      *float32  `json:"temperature"`
	TopP             *float32  `json:"top_p"`
	TopK             *int32    `json:"top_k"`
	MinP             *float32  `json:"min_p"`
	RepeatPenalty    *float32  `json:"repeat_penalty"`
	PresencePenalty  *float32  `json:"presence_penalty"`
	FrequencyPenalty *float32  `json:"frequency_penalty"`
	Seed             *int64    `json:"seed"`
	Stop             oneOrMore `json:"stop"`
}

// samplingOptions translates the fields, and the limit of tokens; nil: none.
func (f *sampling) samplingOptions(limit *int64) *gatewayv1.SamplingOptions {
	s := &gatewayv1.SamplingOptions{
		Temperature: f.Temperature, TopP: f.TopP, TopK: f.TopK, MinP: f.MinP, RepeatPenalty: f.RepeatPenalty,
		PresencePenalty: f.PresencePenalty, FrequencyPenalty: f.FrequencyPenalty,
		Stop: slices.DeleteFunc(slices.Clone(f.Stop), func(s string) bool { return s == "" }),
	}
	if s.TopP != nil && *s.TopP == 0 {
		least := float32(minTopP)
		s.TopP = &least
	}
	if f.Seed != nil {
		seed := uint32(*f.Seed) //nolint:gosec // the lower bits of any seed are one
		s.Seed = &seed
	}
	if limit != nil {
		tokens := int32(min(max(*limit, 0), maxTokens)) // 0 is refused by the typed API
		s.MaxTokens = &tokens
	}
	return s
}
