package jsongrammar

import (
	"strconv"
	"strings"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Syntax is how a model writes calls of tools: Prefix, the name, Middle, the arguments;
// then for each further call Between, its name, Middle, its arguments; and Suffix.
type Syntax struct {
	Prefix, Middle, Between, Suffix string
	// Trigger is the part of Prefix that begins a call wherever it is in an answer; if
	// it is empty, a call can only be the whole answer.
	Trigger string
	// CallID stands in Between and Suffix for an ID of 9 letters and digits.
	CallID string
	// MayThink lets the answer begin with a thought. InsideThought says that it begins
	// within one.
	MayThink, InsideThought bool
}

// The marks around a thought.
const (
	thoughtStart = "<think>"
	thoughtEnd   = "</think>"
)

// MaxCalls is the largest number of calls in an answer.
const MaxCalls = 64

// Offered returns the tools of a request that the model may call.
func Offered(req *gatewayv1.ChatRequest) []*gatewayv1.Tool {
	choice := req.GetToolChoice()
	if choice.GetMode() == gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE {
		return nil
	}
	if choice.GetToolName() == "" {
		return req.GetTools()
	}
	for _, tool := range req.GetTools() {
		if tool.GetName() == choice.GetToolName() {
			return []*gatewayv1.Tool{tool}
		}
	}
	return nil
}

// Chat returns the grammar of the answers to a request: its response format, and the
// calls of its tools. It is empty if the answer may be any text. The error is
// INVALID_REQUEST.
func Chat(req *gatewayv1.ChatRequest, s Syntax) (string, error) {
	b := NewBuilder()
	format, hasFormat, err := b.format(req.GetResponseFormat())
	if err != nil {
		return "", err
	}
	tools := Offered(req)
	where := "response_format.json_schema"
	root := format
	switch {
	case len(tools) == 0 && !hasFormat:
		return "", nil
	case len(tools) > 0:
		where = "tools"
		if root, err = b.answer(req, tools, s, format, hasFormat); err != nil {
			return "", err
		}
	}
	end := b.sequence(b.gbnf(`[\x0A]{0,2}`), root)
	if s.InsideThought {
		root = b.textUntil(thoughtEnd, end, false)
	} else if s.MayThink {
		root = b.oneOf(root, b.sequence(b.literal(thoughtStart), b.textUntil(thoughtEnd, end, false)))
	}
	return b.Grammar(root, where)
}

// format adds the rule of a response format, if it is not text.
func (b *Builder) format(f *gatewayv1.ResponseFormat) (Rule, bool, error) {
	switch f.GetType() {
	case gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_OBJECT:
		return b.Object(), true, nil
	case gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA:
		r, err := b.Schema(f.GetJsonSchema(), "response_format.json_schema")
		return r, true, err
	default:
		return 0, false, nil
	}
}

// answer adds the rule of answers that may have calls.
func (b *Builder) answer(req *gatewayv1.ChatRequest, tools []*gatewayv1.Tool, s Syntax, format Rule, hasFormat bool) (Rule, error) {
	calls, err := b.calls(req, tools, s)
	if err != nil {
		return 0, err
	}
	whole := b.sequence(b.literal(s.Prefix), calls)
	switch {
	case req.GetToolChoice().GetMode() == gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED:
		return whole, nil
	case hasFormat:
		return b.oneOf(whole, format), nil
	case s.Trigger == "":
		first := []rune(s.Prefix)[:1]
		return b.oneOf(whole, b.gbnf("([^"+classChar(first[0])+`] [^\x00]*)?`)), nil
	}
	_, rest, _ := strings.Cut(s.Prefix, s.Trigger)
	return b.textUntil(s.Trigger, b.sequence(b.literal(rest), calls), true), nil
}

// calls adds the rule of the calls after the first prefix.
func (b *Builder) calls(req *gatewayv1.ChatRequest, tools []*gatewayv1.Tool, s Syntax) (Rule, error) {
	each := make([]Rule, len(tools))
	for i, tool := range tools {
		arguments, err := b.Arguments(tool.GetParameters(), "tools["+strconv.Itoa(i)+"].parameters")
		if err != nil {
			return 0, err
		}
		each[i] = b.sequence(b.literal(tool.GetName()+s.Middle), arguments)
	}
	one := b.oneOf(each...)
	suffix := b.withID(s.Suffix, s.CallID)
	if s.Between == "" || req.ParallelToolCalls != nil && !req.GetParallelToolCalls() {
		return b.sequence(one, suffix), nil
	}
	more := b.repeat(b.sequence(b.withID(s.Between, s.CallID), one), MaxCalls-1)
	return b.sequence(one, more, suffix), nil
}

// withID adds a rule for a text that may contain the ID of a call.
func (b *Builder) withID(s, id string) Rule {
	before, after, found := strings.Cut(s, id)
	if id == "" || !found {
		return b.literal(s)
	}
	return b.sequence(b.literal(before), b.gbnf("[a-zA-Z0-9]{9}"), b.literal(after))
}
