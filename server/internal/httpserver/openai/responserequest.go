package openai

import (
	"encoding/json"
	"slices"
	"strings"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// responseRequest is the body of a request for a response, as far as it is translated or
// repeated in the answer.
type responseRequest struct {
	sampling
	Model              string                 `json:"model"`
	Input              input                  `json:"input"`
	Instructions       *string                `json:"instructions"`
	MaxOutputTokens    *int64                 `json:"max_output_tokens"`
	Reasoning          echoed[reasoning]      `json:"reasoning"`
	Text               echoed[textOptions]    `json:"text"`
	Tools              echoed[[]responseTool] `json:"tools"`
	ToolChoice         echoed[toolChoice]     `json:"tool_choice"`
	ParallelToolCalls  *bool                  `json:"parallel_tool_calls"`
	TopLogprobs        int32                  `json:"top_logprobs"`
	Include            []string               `json:"include"`
	Stream             bool                   `json:"stream"`
	Metadata           json.RawMessage        `json:"metadata"`
	Background         bool                   `json:"background"`
	PreviousResponseID string                 `json:"previous_response_id"`
	Conversation       json.RawMessage        `json:"conversation"`
	Prompt             json.RawMessage        `json:"prompt"`
}

type reasoning struct {
	Effort string `json:"effort"`
}

type textOptions struct {
	Format *struct {
		Type   string          `json:"type"`
		Schema json.RawMessage `json:"schema"`
	} `json:"format"`
}

// responseTool is a tool of a response. It has the fields of its function beside its
// type.
type responseTool struct {
	function
	Type string `json:"type"`
}

// echoed is a field that the answer repeats as it came.
type echoed[T any] struct {
	value T
	text  json.RawMessage
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *echoed[T]) UnmarshalJSON(text []byte) error {
	if isNull(text) {
		return nil
	}
	e.text = slices.Clone(text)
	return json.Unmarshal(text, &e.value)
}

// or returns the field, or what stands for it if the request does not have it.
func (e *echoed[T]) or(text string) json.RawMessage {
	if len(e.text) == 0 {
		return json.RawMessage(text)
	}
	return e.text
}

// typedResponse translates a request.
func (h *Handlers) typedResponse(req *responseRequest) (*gatewayv1.ChatRequest, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	model, err := h.resolve(req.Model, enginev1.Task_TASK_CHAT)
	if err != nil {
		return nil, err
	}
	typed := &gatewayv1.ChatRequest{
		Model: model, Sampling: req.samplingOptions(req.MaxOutputTokens), ParallelToolCalls: req.ParallelToolCalls,
		Thinking: thinks(req.Reasoning.value.Effort),
		Logprobs: req.TopLogprobs > 0 || slices.Contains(req.Include, "message.output_text.logprobs"), TopLogprobs: req.TopLogprobs,
	}
	if req.Instructions != nil && *req.Instructions != "" {
		typed.Messages = append(typed.Messages, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_SYSTEM, Content: *req.Instructions})
	}
	if typed.Messages, err = req.Input.addTo(typed.Messages); err != nil {
		return nil, err
	}
	if f := req.Text.value.Format; f != nil {
		if typed.ResponseFormat, err = typedFormat("text.format", f.Type, f.Schema); err != nil {
			return nil, err
		}
	}
	functions, err := functionsOf(req.Tools.value, func(t responseTool) (string, function) { return t.Type, t.function })
	if err != nil {
		return nil, err
	}
	return typed, setTools(typed, functions, req.ToolChoice.value)
}

// check refuses what needs responses that are kept.
func (req *responseRequest) check() error {
	const instead = "this server keeps no responses; send the whole conversation as input"
	switch {
	case req.PreviousResponseID != "":
		return invalid("previous_response_id", "previous_response_id is not supported: %s", instead)
	case !isNull(req.Conversation):
		return invalid("conversation", "conversation is not supported: %s", instead)
	case !isNull(req.Prompt):
		return invalid("prompt", "prompt is not supported: this server keeps no templates; send their text as instructions")
	case req.Background:
		return invalid("background", "background is not supported: leave it out, and wait for the answer or stream it")
	case len(req.Input) == 0:
		return invalid("input", "input is empty: it must be a text or a list of items")
	}
	return nil
}

// input is the conversation so far.
type input []inputItem

// UnmarshalJSON implements json.Unmarshaler. A text is a message of the user.
func (in *input) UnmarshalJSON(text []byte) error {
	if isNull(text) {
		return nil
	}
	if text[0] == '[' {
		return json.Unmarshal(text, (*[]inputItem)(in))
	}
	var content richText
	if err := json.Unmarshal(text, (*string)(&content)); err != nil {
		return err
	}
	if strings.TrimSpace(string(content)) != "" {
		*in = input{{Role: "user", Content: content}}
	}
	return nil
}

// inputItem is an item of a conversation.
type inputItem struct {
	Type      string   `json:"type"`
	Role      string   `json:"role"`
	Content   richText `json:"content"`
	CallID    string   `json:"call_id"`
	Name      string   `json:"name"`
	Arguments string   `json:"arguments"`
	Output    richText `json:"output"`
}

// addTo translates the items and adds them to messages. In the typed API, a message of
// the model has its thoughts and its calls, which are items of their own here.
func (in input) addTo(messages []*gatewayv1.ChatMessage) ([]*gatewayv1.ChatMessage, error) {
	var open *gatewayv1.ChatMessage // the message of the model to which the next items belong
	model := func() *gatewayv1.ChatMessage {
		if open == nil {
			open = &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT}
			messages = append(messages, open)
		}
		return open
	}
	for i, item := range in {
		switch {
		case item.Type == "reasoning":
			if open != nil && (open.GetContent() != "" || len(open.GetToolCalls()) > 0) {
				open = nil // thoughts begin another answer
			}
			if item.Content != "" {
				model().Reasoning += string(item.Content)
			}
		case item.Type == "function_call":
			m := model()
			m.ToolCalls = append(m.ToolCalls, &gatewayv1.ToolCall{Id: item.CallID, Name: item.Name, Arguments: item.Arguments})
		case item.Type == "function_call_output":
			open = nil
			messages = append(messages, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_TOOL, Content: string(item.Output), ToolCallId: item.CallID})
		case item.Type == "message" || item.Type == "" && item.Role != "":
			role, ok := roles[item.Role]
			if !ok || role == gatewayv1.Role_ROLE_TOOL {
				return nil, invalid("input", "input[%d]: the role %q is not supported; use system, developer, user or assistant", i, item.Role)
			}
			if role != gatewayv1.Role_ROLE_ASSISTANT {
				open = nil
				messages = append(messages, &gatewayv1.ChatMessage{Role: role, Content: string(item.Content)})
				continue
			}
			if open != nil && open.GetContent() != "" {
				open = nil
			}
			model().Content = string(item.Content)
		case item.Type == "item_reference" || item.Type == "":
			return nil, invalid("input", "input[%d] refers to an item, and this server keeps none; send the item itself, as clients do with store: false", i)
		default:
			return nil, invalid("input", "input[%d]: items of the type %q are not supported; use message, reasoning, function_call and function_call_output", i, item.Type)
		}
	}
	return messages, nil
}
