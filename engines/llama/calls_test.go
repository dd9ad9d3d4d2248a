package llama

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/llama/chatprompt"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// read divides a text at every place and joins what the reader returns.
func read(t *testing.T, format chatprompt.CallFormat, text string, size int) (content string, calls []string, called bool) {
	t.Helper()
	r := newCallReader(format)
	var ids []string
	add := func(deltas []*gatewayv1.ToolCallDelta) {
		for _, d := range deltas {
			if int(d.GetIndex()) == len(calls) {
				calls, ids = append(calls, d.GetName()), append(ids, d.GetId())
			}
			calls[d.GetIndex()] += d.GetArgumentsDelta()
		}
	}
	for len(text) > 0 {
		n := min(size, len(text))
		more, deltas := r.push(text[:n])
		content += more
		add(deltas)
		text = text[n:]
	}
	rest, called := r.flush()
	for i, id := range ids {
		if id == "" || i > 0 && id == ids[i-1] {
			t.Errorf("IDs %q", ids)
		}
	}
	return content + rest, calls, called
}

func TestCallReader(t *testing.T) {
	tagged := chatprompt.CallFormat{Prefix: "<call>\n{\"name\": \"", Middle: "\", \"arguments\": ", Between: "}\n</call>\n<call>\n{\"name\": \"", Suffix: "}\n</call>"}
	ids := chatprompt.CallFormat{Prefix: "[C][{\"name\": \"", Middle: "\", \"arguments\": ", Between: ", \"id\": \"mgcall001\"}, {\"name\": \"", Suffix: ", \"id\": \"mgcall001\"}]", IDs: true}
	bare := chatprompt.CallFormat{Prefix: "{\"name\": \"", Middle: "\", \"parameters\": ", Suffix: "}"}
	for name, c := range map[string]struct {
		format  chatprompt.CallFormat
		text    string
		content string
		calls   string
		called  bool
	}{
		"text":          {tagged, "a <b> {c} \n", "a <b> {c} \n", "", false},
		"a call":        {tagged, "<call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"}\\\"{\", \"b\": [{}]}}\n</call>", "", `f{"a": "}\"{", "b": [{}]}`, true},
		"text and call": {tagged, "Well.\n\n<call>\n{\"name\": \"f\", \"arguments\": {}}\n</call>", "Well.", "f{}", true},
		"two calls":     {tagged, "<call>\n{\"name\": \"f\", \"arguments\": {}}\n</call>\n<call>\n{\"name\": \"g\", \"arguments\": {\"x\":1}}\n</call>", "", `f{} g{"x":1}`, true},
		"cut":           {tagged, "<call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"b", "", `f{"a": "b`, false},
		"IDs":           {ids, "[C][{\"name\": \"f\", \"arguments\": {}, \"id\": \"abcdefgh1\"}, {\"name\": \"g\", \"arguments\": {}, \"id\": \"abcdefgh2\"}]", "", "f{} g{}", true},
		"bare":          {bare, "{\"name\": \"f\", \"parameters\": {}}", "", "f{}", true},
		"bare, text":    {bare, "Hello {\"name\": \"f\"", "Hello {\"name\": \"f\"", "", false},
		"bare, almost":  {bare, "{\"nam", "{\"nam", "", false},
	} {
		for size := 1; size <= len(c.text); size++ {
			content, calls, called := read(t, c.format, c.text, size)
			if content != c.content || strings.Join(calls, " ") != c.calls || called != c.called {
				t.Fatalf("%s, in parts of %d: content %q, calls %q, %v", name, size, content, calls, called)
			}
		}
	}
}

// answerTo collects an answer with its calls.
func answerTo(t *testing.T, m *model, req *gatewayv1.ChatRequest) (*gatewayv1.ChatMessage, gatewayv1.FinishReason) {
	t.Helper()
	out := &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT}
	var finish gatewayv1.FinishReason
	err := m.Chat(t.Context(), req, func(r *gatewayv1.StreamChatResponse) error {
		out.Content += r.GetDelta()
		for _, d := range r.GetToolCallDeltas() {
			if int(d.GetIndex()) == len(out.GetToolCalls()) {
				out.ToolCalls = append(out.ToolCalls, &gatewayv1.ToolCall{Id: d.GetId(), Name: d.GetName()})
			}
			out.ToolCalls[d.GetIndex()].Arguments += d.GetArgumentsDelta()
		}
		finish = r.GetFinishReason()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, finish
}

const finishCalls = gatewayv1.FinishReason_FINISH_REASON_TOOL_CALLS

// TestToolRoundTrip calls a tool, answers it, and checks that the model uses the answer.
func TestToolRoundTrip(t *testing.T) {
	m := load(t, modelstest.Path(t, "smollm2-135m-instruct"), nil)
	req := &gatewayv1.ChatRequest{
		Messages: conversation("", "What is the temperature in Hanoi?"),
		Tools: []*gatewayv1.Tool{{
			Name: "get_temperature", Description: "Returns the temperature in a city",
			Parameters: `{"type":"object","properties":{"city":{"type":"string","maxLength":30},"unit":{"enum":["celsius","fahrenheit"]}},"required":["city"]}`,
		}},
		ToolChoice: &gatewayv1.ToolChoice{Mode: gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED},
		Sampling:   greedy(100), ParallelToolCalls: proto.Bool(false),
	}
	answer, finish := answerTo(t, m, req)
	if finish != finishCalls || len(answer.GetToolCalls()) != 1 {
		t.Fatalf("%v: %v", finish, answer)
	}
	call := answer.GetToolCalls()[0]
	var arguments struct{ City string }
	if err := json.Unmarshal([]byte(call.GetArguments()), &arguments); err != nil || !strings.Contains(arguments.City, "Hanoi") {
		t.Errorf("%v, %v", err, call)
	}
	req.Messages = append(req.Messages, answer, &gatewayv1.ChatMessage{
		Role: gatewayv1.Role_ROLE_TOOL, ToolCallId: call.GetId(), Content: `{"temperature": 37, "unit": "celsius"}`,
	})
	req.ToolChoice = &gatewayv1.ToolChoice{Mode: gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE}
	if answer, finish = answerTo(t, m, req); finish != finishStop || !strings.Contains(answer.GetContent(), "37") {
		t.Errorf("%v: %v", finish, answer)
	}
}

// TestToolChoice checks the choices on the starter, which knows no tools: the grammar
// enforces them.
func TestToolChoice(t *testing.T) {
	m := load(t, starter(), nil)
	tools := []*gatewayv1.Tool{{Name: "now"}, {Name: "add", Parameters: `{"type":"object","properties":{"a":{"type":"integer","minimum":1,"maximum":9}},"required":["a"]}`}}
	ask := func(choice *gatewayv1.ToolChoice, seed uint32) (*gatewayv1.ChatMessage, gatewayv1.FinishReason) {
		return answerTo(t, m, &gatewayv1.ChatRequest{
			Messages: conversation("", "Hello"), Tools: tools, ToolChoice: choice, ParallelToolCalls: proto.Bool(seed%2 == 0),
			Sampling: &gatewayv1.SamplingOptions{Seed: proto.Uint32(seed), MaxTokens: proto.Int32(1000)},
		})
	}
	for seed := range uint32(6) {
		required := gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED
		answer, finish := ask(&gatewayv1.ToolChoice{Mode: required}, seed)
		if finish == finishCalls && !validCalls(answer, seed%2 == 0, "now", "add") || finish == finishStop {
			t.Errorf("required: %v, %v", finish, answer)
		}
		answer, finish = ask(&gatewayv1.ToolChoice{Mode: required, ToolName: "add"}, seed)
		if finish == finishCalls && !validCalls(answer, seed%2 == 0, "add") || finish == finishStop {
			t.Errorf("named: %v, %v", finish, answer)
		}
		answer, finish = ask(nil, seed)
		if called := len(answer.GetToolCalls()) > 0; called != (finish == finishCalls) {
			t.Errorf("auto: %v, %v", finish, answer)
		}
		answer, _ = ask(&gatewayv1.ToolChoice{Mode: gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE}, seed)
		if len(answer.GetToolCalls()) > 0 || answer.GetContent() == "" {
			t.Errorf("none: %v", answer)
		}
	}
}

func validCalls(answer *gatewayv1.ChatMessage, several bool, names ...string) bool {
	for _, call := range answer.GetToolCalls() {
		ok := call.GetName() == "now" && call.GetArguments() == "{}"
		if call.GetName() == "add" {
			var arguments struct{ A int }
			ok = json.Unmarshal([]byte(call.GetArguments()), &arguments) == nil && arguments.A >= 1 && arguments.A <= 9
		}
		if !ok || !strings.Contains(strings.Join(names, " "), call.GetName()) {
			return false
		}
	}
	return answer.GetContent() == "" && (several || len(answer.GetToolCalls()) == 1) && len(answer.GetToolCalls()) > 0
}
