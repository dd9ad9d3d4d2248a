package api

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/width"
)

// checkChat checks what the rules in the proto cannot: fields that depend on each
// other, and schemas. A request that cannot be served costs no worker.
func checkChat(req *gatewayv1.ChatRequest) error {
	if req.GetTopLogprobs() > 0 && !req.GetLogprobs() {
		return invalid("top_logprobs", "top_logprobs needs logprobs: set logprobs to true")
	}
	if err := checkFormat(req.GetResponseFormat()); err != nil {
		return err
	}
	if err := checkTools(req); err != nil {
		return err
	}
	if err := checkCalls(req.GetMessages()); err != nil {
		return err
	}
	_, err := jsongrammar.Chat(req, anySyntax)
	return err
}

// anySyntax stands for the syntax of the model that will answer: the schemas are checked
// before it is known.
var anySyntax = jsongrammar.Syntax{Prefix: "<call>", Middle: ":", Between: ",", Suffix: ";", Trigger: "<call>"}

func invalid(field, format string, args ...any) error {
	return errs.New(errs.InvalidRequest, format, args...).With("fields", field)
}

func checkFormat(format *gatewayv1.ResponseFormat) error {
	const field = "response_format.json_schema"
	wanted := format.GetType() == gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA
	switch {
	case wanted && format.GetJsonSchema() == "":
		return invalid(field, "response_format.json_schema is missing: send the JSON Schema as text")
	case !wanted && format.GetJsonSchema() != "":
		return invalid(field, "response_format.json_schema needs the type RESPONSE_FORMAT_TYPE_JSON_SCHEMA: set response_format.type")
	}
	return nil
}

func checkTools(req *gatewayv1.ChatRequest) error {
	names := map[string]bool{}
	for _, tool := range req.GetTools() {
		if names[tool.GetName()] {
			return invalid("tools", "two tools have the name %q: give each another name", tool.GetName())
		}
		names[tool.GetName()] = true
	}
	choice := req.GetToolChoice()
	required := choice.GetMode() == gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED
	switch {
	case required && len(names) == 0:
		return invalid("tool_choice", "tool_choice requires a call, and there are no tools: send tools, or leave tool_choice out")
	case choice.GetToolName() != "" && !required:
		return invalid("tool_choice", "tool_choice.tool_name needs the mode TOOL_CHOICE_MODE_REQUIRED: set tool_choice.mode")
	case choice.GetToolName() != "" && !names[choice.GetToolName()]:
		return invalid("tool_choice", "tool_choice names the tool %q, which is not in tools", choice.GetToolName())
	}
	return nil
}

// checkCalls checks that calls are the model's, and that each answer of a tool has a
// call that it answers.
func checkCalls(messages []*gatewayv1.ChatMessage) error {
	var open []*gatewayv1.ToolCall
	for i, m := range messages {
		field := "messages[" + strconv.Itoa(i) + "]"
		if len(m.GetToolCalls()) > 0 && m.GetRole() != gatewayv1.Role_ROLE_ASSISTANT {
			return invalid(field+".tool_calls", "%s.tool_calls is only for messages of ROLE_ASSISTANT: leave it out", field)
		}
		for j, call := range m.GetToolCalls() {
			if err := checkArguments(call.GetArguments()); err != nil {
				return invalid(field+".tool_calls", "%s.tool_calls[%d].arguments cannot be used: %v", field, j, err)
			}
		}
		open = append(open, m.GetToolCalls()...)
		if m.GetRole() != gatewayv1.Role_ROLE_TOOL {
			if m.GetToolCallId() != "" {
				return invalid(field+".tool_call_id", "%s.tool_call_id is only for messages of ROLE_TOOL: leave it out", field)
			}
			continue
		}
		at := slices.IndexFunc(open, func(c *gatewayv1.ToolCall) bool { return m.GetToolCallId() == "" || c.GetId() == m.GetToolCallId() })
		if at < 0 {
			return invalid(field, "%s answers a call that no message before it has: put the model's message with tool_calls before it", field)
		}
		open = slices.Delete(open, at, at+1)
	}
	return nil
}

// checkArguments checks the arguments of an earlier call.
func checkArguments(text string) error {
	if text == "" {
		return nil
	}
	if err := width.CheckJSON([]byte(text)); err != nil {
		return err
	}
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") || !json.Valid([]byte(text)) {
		return errors.New("it is not a JSON object; send what the model wrote")
	}
	return nil
}
