package llama

import (
	"slices"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/llama/chatprompt"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// prompt returns the tokens of a task's conversation.
func (m *model) prompt(t task) (chatprompt.Prompt, error) {
	// A fixed grammar describes the whole answer, so there cannot be a thought before it.
	c := chatprompt.Conversation{Thinking: t.thinking && t.grammar == ""}
	var open []*gatewayv1.ToolCall // calls without an answer
	for _, message := range t.messages {
		role, err := roleName(message.GetRole())
		if err != nil {
			return chatprompt.Prompt{}, err
		}
		// Models are trained on composed letters.
		turn := chatprompt.Message{
			Role: role, Content: norm.NFC.String(message.GetContent()), Reasoning: norm.NFC.String(message.GetReasoning()),
		}
		for _, call := range message.GetToolCalls() {
			open = append(open, call)
			turn.Calls = append(turn.Calls, chatprompt.Call{
				ID: templateID(m.prompter.CallFormat(), call.GetId()), Name: call.GetName(), Arguments: call.GetArguments(),
			})
		}
		if role == chatprompt.RoleTool {
			open = m.answered(&turn, message.GetToolCallId(), open)
		}
		c.Messages = append(c.Messages, turn)
	}
	for _, tool := range t.tools {
		parameters := tool.GetParameters()
		if parameters == "" {
			parameters = `{"type": "object", "properties": {}}`
		}
		c.Tools = append(c.Tools, chatprompt.Tool{Name: tool.GetName(), Description: tool.GetDescription(), Parameters: parameters})
	}
	prompt, err := m.prompter.Prompt(c)
	if err != nil {
		return prompt, errs.New(errs.InvalidRequest, "the model's chat template refuses the conversation: %v", err).WithCause(err)
	}
	return prompt, nil
}

// answered sets which call a message answers, and returns the calls that are left.
func (m *model) answered(turn *chatprompt.Message, id string, open []*gatewayv1.ToolCall) []*gatewayv1.ToolCall {
	at := slices.IndexFunc(open, func(c *gatewayv1.ToolCall) bool { return id == "" || c.GetId() == id })
	if at < 0 {
		return open
	}
	turn.Tool, turn.CallID = open[at].GetName(), templateID(m.prompter.CallFormat(), open[at].GetId())
	return slices.Delete(slices.Clone(open), at, at+1)
}

func roleName(r gatewayv1.Role) (string, error) {
	switch r {
	case gatewayv1.Role_ROLE_SYSTEM:
		return chatprompt.RoleSystem, nil
	case gatewayv1.Role_ROLE_USER:
		return chatprompt.RoleUser, nil
	case gatewayv1.Role_ROLE_ASSISTANT:
		return chatprompt.RoleAssistant, nil
	case gatewayv1.Role_ROLE_TOOL:
		return chatprompt.RoleTool, nil
	default:
		return "", errs.New(errs.InvalidRequest, "a message has no role; set it to system, user, assistant or tool")
	}
}
