package openai

import (
	"encoding/json"
	"slices"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The limits of the typed API to which values are clamped that OpenAI's API allows.
const (
	maxTokens = 131_072
	minTopP   = 1e-6
)

// chatRequest is the body of a chat completion, as far as it is translated.
type chatRequest struct {
	Model               string            `json:"model"`
	Messages            []chatMessage     `json:"messages"`
	MaxTokens           *int64            `json:"max_tokens"`
	MaxCompletionTokens *int64            `json:"max_completion_tokens"`
	Temperature         *float32          `json:"temperature"`
	TopP                *float32          `json:"top_p"`
	TopK                *int32            `json:"top_k"`
	MinP                *float32          `json:"min_p"`
	RepeatPenalty       *float32          `json:"repeat_penalty"`
	PresencePenalty     *float32          `json:"presence_penalty"`
	FrequencyPenalty    *float32          `json:"frequency_penalty"`
	Seed                *int64            `json:"seed"`
	Stop                oneOrMore         `json:"stop"`
	ReasoningEffort     string            `json:"reasoning_effort"`
	Stream              bool              `json:"stream"`
	StreamOptions       streamOptions     `json:"stream_options"`
	N                   *int32            `json:"n"`
	ResponseFormat      *responseFormat   `json:"response_format"`
	Tools               []json.RawMessage `json:"tools"`
	Logprobs            bool              `json:"logprobs"`
	LogitBias           map[string]any    `json:"logit_bias"`
	Modalities          []string          `json:"modalities"`
	Functions           json.RawMessage   `json:"functions"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type responseFormat struct {
	Type string `json:"type"`
}

type chatMessage struct {
	Role    string   `json:"role"`
	Content richText `json:"content"`
}

// roles are the typed roles by the names of OpenAI's API.
var roles = map[string]gatewayv1.Role{
	"system": gatewayv1.Role_ROLE_SYSTEM, "developer": gatewayv1.Role_ROLE_SYSTEM,
	"user": gatewayv1.Role_ROLE_USER, "assistant": gatewayv1.Role_ROLE_ASSISTANT,
}

// typed translates a request.
func (h *Handlers) typed(req *chatRequest) (*gatewayv1.ChatRequest, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	model, err := h.resolve(req.Model, enginev1.Task_TASK_CHAT)
	if err != nil {
		return nil, err
	}
	typed := &gatewayv1.ChatRequest{
		Model: model, Sampling: req.sampling(),
		Thinking: !slices.Contains([]string{"", "none", "minimal"}, req.ReasoningEffort),
	}
	for i, m := range req.Messages {
		role, ok := roles[m.Role]
		if !ok {
			return nil, invalid("messages", "messages[%d]: the role %q is not supported; use system, developer, user or assistant", i, m.Role)
		}
		typed.Messages = append(typed.Messages, &gatewayv1.ChatMessage{Role: role, Content: string(m.Content)})
	}
	return typed, nil
}

// check refuses what would change the answer and cannot be done.
func (req *chatRequest) check() error {
	switch {
	case len(req.LogitBias) > 0:
		return invalid("logit_bias", "logit_bias is not supported: leave it out")
	case slices.Contains(req.Modalities, "audio"):
		return invalid("modalities", "chat cannot answer with audio: ask for text, and use audio/speech")
	case !isNull(req.Functions):
		return invalid("functions", "functions is not supported: use tools")
	case len(req.Tools) > 0:
		return invalid("tools", "tools is not supported")
	case req.Logprobs:
		return invalid("logprobs", "logprobs is not supported")
	case req.N != nil && *req.N != 1:
		return invalid("n", "n is %d: only one answer is supported", *req.N)
	case req.ResponseFormat != nil && req.ResponseFormat.Type != "text":
		return invalid("response_format", "the response_format %q is not supported; use text", req.ResponseFormat.Type)
	}
	return nil
}

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
