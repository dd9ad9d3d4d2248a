package gemini_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func asked(format *gatewayv1.ResponseFormat) *gatewayv1.ChatRequest {
	return &gatewayv1.ChatRequest{
		Messages:       []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: "Weather in Hue?"}},
		ResponseFormat: format,
	}
}

func TestChatSchema(t *testing.T) {
	server, m := open(t)
	server.Answer(geminitest.Text(`{"a":1}`))
	schema := `{"type":"object","properties":{"const":{"const":"x"},"n":{"type":"integer","exclusiveMinimum":1},"s":{"type":"string","pattern":"^a"},"l":{"anyOf":[{"$ref":"#/$defs/p"},{"type":"null"}]}},"$defs":{"p":{"type":"string","minLength":2}},"required":["n"]}`
	err := m.Chat(t.Context(), asked(&gatewayv1.ResponseFormat{
		Type: gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA, JsonSchema: schema,
	}), func(*gatewayv1.StreamChatResponse) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(`{"type":"object","properties":{"const":{"enum":["x"]},"n":{"type":"integer","minimum":1},"s":{"type":"string"},"l":{"anyOf":[{"$ref":"#/$defs/p"},{"type":"null"}]}},"$defs":{"p":{"type":"string"}},"required":["n"]}`), &want); err != nil {
		t.Fatal(err)
	}
	if got := server.Last().Schema(); !reflect.DeepEqual(got, want) || server.Last().Body.GenerationConfig["responseMimeType"] != "application/json" {
		t.Errorf("got %v", got)
	}
}

// TestChatTools calls a function, returns its result, and checks that the signature of the
// call comes back.
func TestChatTools(t *testing.T) {
	server, m := open(t)
	server.Answer(geminitest.Calls("signed", geminitest.Function{Name: "weather", Args: map[string]any{"city": "Hue"}}, geminitest.Function{Name: "now"}))
	req := asked(nil)
	req.Tools = []*gatewayv1.Tool{{Name: "weather", Description: "The weather", Parameters: `{"type":"object","properties":{"city":{"type":"string"}}}`}, {Name: "now"}}
	req.ToolChoice = &gatewayv1.ToolChoice{Mode: gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED}
	answer := &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT}
	var last *gatewayv1.StreamChatResponse
	if err := m.Chat(t.Context(), req, func(r *gatewayv1.StreamChatResponse) error {
		for i, d := range r.GetToolCallDeltas() {
			if int(d.GetIndex()) != i {
				t.Errorf("call %d has the index %d", i, d.GetIndex())
			}
			answer.ToolCalls = append(answer.ToolCalls, &gatewayv1.ToolCall{Id: d.GetId(), Name: d.GetName(), Arguments: d.GetArgumentsDelta()})
		}
		last = r
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	calls := answer.GetToolCalls()
	if last.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_TOOL_CALLS || len(calls) != 2 || calls[0].GetArguments() != `{"city":"Hue"}` ||
		calls[1].GetArguments() != "{}" || calls[0].GetId() == calls[1].GetId() {
		t.Fatalf("%v, %v", last, answer)
	}
	config, _ := json.Marshal(server.Last().Body.ToolConfig)
	if !strings.Contains(string(config), `"mode":"ANY"`) || len(server.Last().Body.Tools) != 1 {
		t.Errorf("%s, %v", config, server.Last().Body.Tools)
	}

	server.Answer(geminitest.Text("30 degrees"))
	other := &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT, ToolCalls: []*gatewayv1.ToolCall{{Id: "of another model", Name: "now"}}}
	req.ToolChoice = nil
	req.Messages = append(req.Messages, answer,
		&gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_TOOL, ToolCallId: calls[1].GetId(), Content: "noon"},
		&gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_TOOL, Content: `{"degrees":30}`},
		other, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_TOOL, ToolCallId: "of another model", Content: "later"})
	if err := m.Chat(t.Context(), req, func(*gatewayv1.StreamChatResponse) error { return nil }); err != nil {
		t.Fatal(err)
	}
	contents := server.Last().Body.Contents
	if len(contents) != 5 {
		t.Fatalf("%v", contents)
	}
	results := contents[2].Parts
	if string(contents[1].Parts[0].ThoughtSignature) != "signed" || len(results) != 2 || results[0].FunctionResponse.Name != "now" ||
		results[0].FunctionResponse.Response["output"] != "noon" || results[1].FunctionResponse.Name != "weather" ||
		results[1].FunctionResponse.Response["degrees"] != 30.0 || len(contents[3].Parts[0].ThoughtSignature) == 0 {
		t.Errorf("%v", contents)
	}
}

func TestChatThoughtsAndLogprobs(t *testing.T) {
	server, m := open(t)
	answer := geminitest.Thoughts("Hm.", "Yes")
	answer.Chunks[0].Candidates[0].LogprobsResult = map[string]any{
		"chosenCandidates": []any{map[string]any{"token": "Yes", "logProbability": -0.5}},
		"topCandidates":    []any{map[string]any{"candidates": []any{map[string]any{"token": "Yes", "logProbability": -0.5}, map[string]any{"token": "No", "logProbability": -1}}}},
	}
	server.Answer(answer)
	req := asked(nil)
	req.Thinking, req.Logprobs, req.TopLogprobs = true, true, 2
	var got []*gatewayv1.StreamChatResponse
	if err := m.Chat(t.Context(), req, func(r *gatewayv1.StreamChatResponse) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	want := &gatewayv1.StreamChatResponse{Delta: "Yes", ReasoningDelta: "Hm.", Logprobs: []*gatewayv1.TokenLogprob{{
		Token: &gatewayv1.TokenProbability{Text: "Yes", TextBytes: []byte("Yes"), Logprob: -0.5},
		Top: []*gatewayv1.TokenProbability{
			{Text: "Yes", TextBytes: []byte("Yes"), Logprob: -0.5}, {Text: "No", TextBytes: []byte("No"), Logprob: -1},
		},
	}}}
	config := server.Last().Body.GenerationConfig
	if len(got) != 2 || !proto.Equal(got[0], want) || got[1].GetUsage().GetReasoningTokenCount() != 5 ||
		config["responseLogprobs"] != true || config["logprobs"] != 2.0 {
		t.Errorf("%v, asked with %v", got, config)
	}
}

func TestChatSeveralAnswers(t *testing.T) {
	server, m := open(t)
	server.Answer(geminitest.Several("one", "two"))
	req := asked(nil)
	req.N = 2
	texts := map[int32]string{}
	var last *gatewayv1.StreamChatResponse
	if err := m.Chat(t.Context(), req, func(r *gatewayv1.StreamChatResponse) error {
		texts[r.GetAnswerIndex()] += r.GetDelta()
		last = r
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if texts[0] != "one" || texts[1] != "two" || last.GetUsage() == nil || last.GetFinishReason() == 0 ||
		server.Last().Body.GenerationConfig["candidateCount"] != 2.0 {
		t.Errorf("%v, %v", texts, last)
	}
	server.Answer(geminitest.Several("one", "two", "three"))
	if err := m.Chat(t.Context(), req, func(*gatewayv1.StreamChatResponse) error { return nil }); errs.ReasonOf(err) != errs.EngineCrashed {
		t.Errorf("three answers instead of two: %v", err)
	}
}
