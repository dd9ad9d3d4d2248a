package jsongrammar_test

import (
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	auto     = gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO
	none     = gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE
	required = gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED
)

func TestChat(t *testing.T) {
	tools := []*gatewayv1.Tool{
		{Name: "now"}, {Name: "weather", Parameters: `{"type":"object","properties":{"city":{"enum":["Hue","Hanoi"]}},"required":["city"]}`},
	}
	number := &gatewayv1.ResponseFormat{Type: gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA, JsonSchema: `{"type":"integer"}`}
	tagged := jsongrammar.Syntax{Prefix: "<tool_call>\n", Middle: "(", Between: ")<tool_call>\n", Suffix: ")", Trigger: "<tool_call>"}
	bare := jsongrammar.Syntax{Prefix: `{"name": "`, Middle: `", "parameters": `, Suffix: "}"}
	withIDs := jsongrammar.Syntax{Prefix: "[", Middle: " ", Between: " mgcall001, ", Suffix: " mgcall001]", Trigger: "[", CallID: "mgcall001"}
	for name, c := range map[string]struct {
		req     *gatewayv1.ChatRequest
		syntax  jsongrammar.Syntax
		yes, no []string
	}{
		"auto": {&gatewayv1.ChatRequest{Tools: tools}, tagged,
			[]string{"", "Hello <tool_cal", "<tool_call>\nnow({})", "Well,\n<tool_call>\nweather({\"city\": \"Hue\"})<tool_call>\nnow({})", "<<tool_call>\nnow({})", "<think>x</think>y"},
			[]string{"<tool_call>", "<tool_call>\nlater({})", "<tool_call>\nweather({})", "<tool_call>\nnow({}) and"}},
		"none":     {&gatewayv1.ChatRequest{Tools: tools, ToolChoice: &gatewayv1.ToolChoice{Mode: none}, ResponseFormat: number}, tagged, []string{"12"}, []string{"<tool_call>\nnow({})", "x"}},
		"required": {&gatewayv1.ChatRequest{Tools: tools, ToolChoice: &gatewayv1.ToolChoice{Mode: required}}, tagged, []string{"<tool_call>\nnow({})"}, []string{"", "Hello"}},
		"named": {&gatewayv1.ChatRequest{Tools: tools, ToolChoice: &gatewayv1.ToolChoice{Mode: required, ToolName: "weather"}}, tagged,
			[]string{"<tool_call>\nweather({\"city\":\"Hanoi\"})"}, []string{"<tool_call>\nnow({})"}},
		"one call": {&gatewayv1.ChatRequest{Tools: tools, ParallelToolCalls: new(false)}, tagged,
			[]string{"<tool_call>\nnow({})"}, []string{"<tool_call>\nnow({})<tool_call>\nnow({})"}},
		"or a number": {&gatewayv1.ChatRequest{Tools: tools, ToolChoice: &gatewayv1.ToolChoice{Mode: auto}, ResponseFormat: number}, tagged,
			[]string{"7", "<tool_call>\nnow({})"}, []string{"Hello", "7 <tool_call>\nnow({})"}},
		"bare": {&gatewayv1.ChatRequest{Tools: tools}, bare,
			[]string{"Hello {", `{"name": "now", "parameters": {}}`, ""}, []string{"{", `{"name": "x"`, `{"name": "now", "parameters": {}} and`}},
		"IDs": {&gatewayv1.ChatRequest{Tools: tools}, withIDs,
			[]string{"[now {} abcdefgh1]", "[now {} abcdefgh1, now {} 123456789]"}, []string{"[now {} abc]", "[now {}]"}},
	} {
		grammar, err := jsongrammar.Chat(c.req, c.syntax)
		if err != nil {
			t.Fatal(err)
		}
		checkTexts(t, name, grammar, c.yes, c.no)
	}
	thinking := tagged
	thinking.MayThink = true
	grammar, err := jsongrammar.Chat(&gatewayv1.ChatRequest{ResponseFormat: number}, thinking)
	if err != nil {
		t.Fatal(err)
	}
	checkTexts(t, "may think", grammar, []string{"5", "<think>\nhm <tool_call></think>\n\n5"}, []string{"<think>5", "hm</think>5"})
	thinking.InsideThought = true
	if grammar, err = jsongrammar.Chat(&gatewayv1.ChatRequest{ResponseFormat: number}, thinking); err != nil {
		t.Fatal(err)
	}
	checkTexts(t, "inside a thought", grammar, []string{"hm</think>5", "\n</think>\n\n5"}, []string{"5", "<think>5", "</think>x"})
	if grammar, err := jsongrammar.Chat(&gatewayv1.ChatRequest{}, thinking); grammar != "" || err != nil {
		t.Errorf("any text: %q, %v", grammar, err)
	}
}

func checkTexts(t *testing.T, name, grammar string, yes, no []string) {
	t.Helper()
	g := parseGBNF(t, grammar)
	for _, text := range yes {
		if !g.matches(text) {
			t.Errorf("%s: the grammar does not allow %q", name, text)
		}
	}
	for _, text := range no {
		if g.matches(text) {
			t.Errorf("%s: the grammar allows %q", name, text)
		}
	}
}

// The tools of one request are bounded together.
func TestManyTools(t *testing.T) {
	tools := make([]*gatewayv1.Tool, 128)
	for i := range tools {
		tools[i] = &gatewayv1.Tool{Name: "t" + strings.Repeat("x", i%60) + string(rune('a'+i%26)), Parameters: `{"type":"object","properties":{` +
			strings.TrimSuffix(strings.Repeat(`"a`+string(rune('a'+i%26))+`":{"type":"string"},`, 1), ",") + `}}`}
	}
	if _, err := jsongrammar.Chat(&gatewayv1.ChatRequest{Tools: tools}, jsongrammar.Syntax{Prefix: "<", Middle: ":", Between: ",", Suffix: ">", Trigger: "<"}); err != nil {
		t.Error(err)
	}
	for _, tool := range tools {
		tool.Parameters = `{"type":"object","properties":{"p":{"enum":[` + strings.Repeat(`1,`, 60) + `2]}}}`
	}
	_, err := jsongrammar.Chat(&gatewayv1.ChatRequest{Tools: tools}, jsongrammar.Syntax{Prefix: "<"})
	if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), "values") {
		t.Error(err)
	}
}
