package openai

import (
	"encoding/json"
	"slices"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// tool is a tool of a chat completion.
type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

// function is a function of the caller's program that the model may call.
type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

// toolChoice is a mode, and the names of the tools that may be called; nil: all.
type toolChoice struct {
	mode  string
	named string   // the only tool, which must be called
	names []string // the tools that may be called; nil: all
}

// allowedTools are the tools that may be called, each with its name as both APIs have
// it.
type allowedTools struct {
	Mode  string `json:"mode"`
	Tools []struct {
		Name     string   `json:"name"`
		Function function `json:"function"`
	} `json:"tools"`
}

// UnmarshalJSON implements json.Unmarshaler. It reads the forms of chat completions,
// where names are in an object of their own, and those of responses.
func (c *toolChoice) UnmarshalJSON(text []byte) error {
	if isNull(text) {
		return nil
	}
	if text[0] != '{' {
		return json.Unmarshal(text, &c.mode)
	}
	var object struct {
		allowedTools
		Type     string        `json:"type"`
		Name     string        `json:"name"`
		Function function      `json:"function"`
		Allowed  *allowedTools `json:"allowed_tools"`
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	name := object.Name + object.Function.Name
	switch {
	case object.Type == "function" && name != "":
		c.mode, c.named = "required", name
	case object.Type == "allowed_tools":
		allowed := &object.allowedTools
		if object.Allowed != nil {
			allowed = object.Allowed
		}
		c.mode, c.names = allowed.Mode, []string{}
		for _, t := range allowed.Tools {
			c.names = append(c.names, t.Name+t.Function.Name)
		}
	default:
		return invalid("tool_choice", "tool_choice: the type %q is not supported; use none, auto, required, the name of a function, or allowed_tools", object.Type)
	}
	return nil
}

var toolModes = map[string]gatewayv1.ToolChoiceMode{
	"": gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_UNSPECIFIED, "auto": gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO,
	"none": gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE, "required": gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED,
}

// functionsOf returns the functions among the tools of a request. Other tools are
// refused: they would run in the server.
func functionsOf[T any](tools []T, of func(T) (kind string, f function)) ([]function, error) {
	var functions []function
	for i, t := range tools {
		kind, f := of(t)
		if kind != "function" {
			return nil, invalid("tools", "tools[%d]: the type %q is not supported; use function", i, kind)
		}
		functions = append(functions, f)
	}
	return functions, nil
}

// setTools sets the tools of a request, and which of them the model calls.
func setTools(typed *gatewayv1.ChatRequest, functions []function, choice toolChoice) error {
	for _, f := range functions {
		if choice.names != nil && !slices.Contains(choice.names, f.Name) {
			continue
		}
		t := &gatewayv1.Tool{Name: f.Name, Description: f.Description}
		if !isNull(f.Parameters) {
			t.Parameters = string(f.Parameters)
		}
		typed.Tools = append(typed.Tools, t)
	}
	for _, name := range choice.names {
		if !slices.ContainsFunc(typed.Tools, func(t *gatewayv1.Tool) bool { return t.GetName() == name }) {
			return invalid("tool_choice", "tool_choice allows the tool %q, which is not in tools", name)
		}
	}
	mode, ok := toolModes[choice.mode]
	if !ok {
		return invalid("tool_choice", "the tool_choice %q is not supported; use none, auto, required, the name of a function, or allowed_tools", choice.mode)
	}
	if mode != gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_UNSPECIFIED && len(typed.Tools) > 0 {
		typed.ToolChoice = &gatewayv1.ToolChoice{Mode: mode, ToolName: choice.named}
	}
	return nil
}
