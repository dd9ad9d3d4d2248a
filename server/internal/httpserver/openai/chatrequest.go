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
	sampling
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	MaxTokens           *int64          `json:"max_tokens"`
	MaxCompletionTokens *int64          `json:"max_completion_tokens"`
	ReasoningEffort     string          `json:"reasoning_effort"`
	Stream              bool            `json:"stream"`
	StreamOptions       streamOptions   `json:"stream_options"`
	N                   int32           `json:"n"`
	ResponseFormat      *responseFormat `json:"response_format"`
	Tools               []tool          `json:"tools"`
	ToolChoice          toolChoice      `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	Logprobs            bool            `json:"logprobs"`
	TopLogprobs         int32           `json:"top_logprobs"`
	LogitBias           map[string]any  `json:"logit_bias"`
	Modalities          []string        `json:"modalities"`
	Functions           json.RawMessage `json:"functions"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

type chatMessage struct {
	Role       string     `json:"role"`
	Content    richText   `json:"content"`
	ToolCalls  []toolCall `json:"tool_calls"`
	ToolCallID string     `json:"tool_call_id"`
	Reasoning  string     `json:"reasoning_content"`
}

// roles are the typed roles by the names of OpenAI's API.
var roles = map[string]gatewayv1.Role{
	"system": gatewayv1.Role_ROLE_SYSTEM, "developer": gatewayv1.Role_ROLE_SYSTEM,
	"user": gatewayv1.Role_ROLE_USER, "assistant": gatewayv1.Role_ROLE_ASSISTANT, "tool": gatewayv1.Role_ROLE_TOOL,
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
	limit := req.MaxTokens
	if req.MaxCompletionTokens != nil {
		limit = req.MaxCompletionTokens
	}
	typed := &gatewayv1.ChatRequest{
		Model: model, Sampling: req.samplingOptions(limit), N: req.N, Logprobs: req.Logprobs, TopLogprobs: req.TopLogprobs,
		ParallelToolCalls: req.ParallelToolCalls,
		Thinking:          thinks(req.ReasoningEffort),
	}
	if typed.Messages, err = typedMessages(req.Messages); err != nil {
		return nil, err
	}
	if typed.ResponseFormat, err = req.ResponseFormat.typed(); err != nil {
		return nil, err
	}
	functions, err := functionsOf(req.Tools, func(t tool) (string, function) { return t.Type, t.Function })
	if err != nil {
		return nil, err
	}
	return typed, setTools(typed, functions, req.ToolChoice)
}

// thinks reports whether a model that can think does so.
func thinks(effort string) bool { return !slices.Contains([]string{"", "none", "minimal"}, effort) }

func typedMessages(messages []chatMessage) ([]*gatewayv1.ChatMessage, error) {
	var typed []*gatewayv1.ChatMessage
	for i, m := range messages {
		role, ok := roles[m.Role]
		if !ok {
			return nil, invalid("messages", "messages[%d]: the role %q is not supported; use system, developer, user, assistant or tool", i, m.Role)
		}
		message := &gatewayv1.ChatMessage{Role: role, Content: string(m.Content), ToolCallId: m.ToolCallID, Reasoning: m.Reasoning}
		for _, c := range m.ToolCalls {
			message.ToolCalls = append(message.ToolCalls, &gatewayv1.ToolCall{Id: c.ID, Name: c.Function.Name, Arguments: c.Function.Arguments})
		}
		typed = append(typed, message)
	}
	return typed, nil
}

func (f *responseFormat) typed() (*gatewayv1.ResponseFormat, error) {
	if f == nil {
		return nil, nil
	}
	return typedFormat("response_format", f.Type, f.JSONSchema.Schema)
}

// typedFormat translates the form of an answer. field is its name in the request.
func typedFormat(field, kind string, schema json.RawMessage) (*gatewayv1.ResponseFormat, error) {
	switch kind {
	case "text":
		return nil, nil
	case "json_object":
		return &gatewayv1.ResponseFormat{Type: gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_OBJECT}, nil
	case "json_schema":
		return &gatewayv1.ResponseFormat{
			Type: gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA, JsonSchema: string(schema),
		}, nil
	}
	return nil, invalid(field, "the %s %q is not supported; use text, json_object or json_schema", field, kind)
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
	}
	return nil
}
