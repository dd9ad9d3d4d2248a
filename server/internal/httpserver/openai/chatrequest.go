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
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	MaxTokens           *int64          `json:"max_tokens"`
	MaxCompletionTokens *int64          `json:"max_completion_tokens"`
	Temperature         *float32        `json:"temperature"`
	TopP                *float32        `json:"top_p"`
	TopK                *int32          `json:"top_k"`
	MinP                *float32        `json:"min_p"`
	RepeatPenalty       *float32        `json:"repeat_penalty"`
	PresencePenalty     *float32        `json:"presence_penalty"`
	FrequencyPenalty    *float32        `json:"frequency_penalty"`
	Seed                *int64          `json:"seed"`
	Stop                oneOrMore       `json:"stop"`
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

type tool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// toolChoice is a mode, or the name of a tool.
type toolChoice struct{ mode, name string }

// UnmarshalJSON implements json.Unmarshaler.
func (c *toolChoice) UnmarshalJSON(text []byte) error {
	if isNull(text) {
		return nil
	}
	if text[0] != '{' {
		return json.Unmarshal(text, &c.mode)
	}
	var object struct {
		Type     string `json:"type"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	err := json.Unmarshal(text, &object)
	if err == nil && (object.Type != "function" || object.Function.Name == "") {
		err = invalid("tool_choice", "tool_choice: the type %q is not supported; use none, auto, required, or the name of a function", object.Type)
	}
	c.mode, c.name = "required", object.Function.Name
	return err
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

var toolModes = map[string]gatewayv1.ToolChoiceMode{
	"": gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_UNSPECIFIED, "auto": gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO,
	"none": gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE, "required": gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED,
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
		Model: model, Sampling: req.sampling(), N: req.N, Logprobs: req.Logprobs, TopLogprobs: req.TopLogprobs,
		ParallelToolCalls: req.ParallelToolCalls,
		Thinking:          !slices.Contains([]string{"", "none", "minimal"}, req.ReasoningEffort),
	}
	if typed.Messages, err = typedMessages(req.Messages); err != nil {
		return nil, err
	}
	if typed.ResponseFormat, err = req.ResponseFormat.typed(); err != nil {
		return nil, err
	}
	if err := req.setTools(typed); err != nil {
		return nil, err
	}
	return typed, nil
}

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
	switch f.Type {
	case "text":
		return nil, nil
	case "json_object":
		return &gatewayv1.ResponseFormat{Type: gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_OBJECT}, nil
	case "json_schema":
		return &gatewayv1.ResponseFormat{
			Type: gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA, JsonSchema: string(f.JSONSchema.Schema),
		}, nil
	}
	return nil, invalid("response_format", "the response_format %q is not supported; use text, json_object or json_schema", f.Type)
}

func (req *chatRequest) setTools(typed *gatewayv1.ChatRequest) error {
	for i, t := range req.Tools {
		if t.Type != "function" {
			return invalid("tools", "tools[%d]: the type %q is not supported; use function", i, t.Type)
		}
		f := &gatewayv1.Tool{Name: t.Function.Name, Description: t.Function.Description}
		if !isNull(t.Function.Parameters) {
			f.Parameters = string(t.Function.Parameters)
		}
		typed.Tools = append(typed.Tools, f)
	}
	mode, ok := toolModes[req.ToolChoice.mode]
	if !ok {
		return invalid("tool_choice", "the tool_choice %q is not supported; use none, auto, required, or the name of a function", req.ToolChoice.mode)
	}
	if mode != gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_UNSPECIFIED && len(req.Tools) > 0 {
		typed.ToolChoice = &gatewayv1.ToolChoice{Mode: mode, ToolName: req.ToolChoice.name}
	}
	return nil
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
