package openai

import (
	"encoding/json"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Everything of a request for a response that the typed API has reaches it. Thoughts,
// text and calls of one answer are one message there.
func TestResponseRequestIsTranslated(t *testing.T) {
	const body = `{
		"instructions": "Be kind.",
		"input": [
			{"role": "user", "content": "Weather?"},
			{"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
			{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "I look.", "annotations": []}]},
			{"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": "{\"city\":\"Huế\"}"},
			{"type": "function_call", "call_id": "c2", "name": "time", "arguments": "{}"},
			{"type": "function_call_output", "call_id": "c2", "output": "noon"},
			{"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "rain"}]},
			{"type": "reasoning", "id": "rs_2", "summary": []},
			{"type": "message", "role": "assistant", "content": "It rains."},
			{"type": "message", "role": "assistant", "content": "Really."},
			{"role": "user", "content": "Thanks."}
		],
		"tools": [{"type": "function", "name": "weather", "description": "d", "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}, "strict": true}, {"type": "function", "name": "time"}],
		"tool_choice": {"type": "function", "name": "weather"}, "parallel_tool_calls": false,
		"text": {"format": {"type": "json_schema", "name": "n", "strict": true, "schema": {"type": "object"}}},
		"include": ["message.output_text.logprobs"], "top_logprobs": 2, "reasoning": {"effort": "low"}, "max_output_tokens": 7, "temperature": 0.5, "top_k": 3}`
	req := &responseRequest{}
	if err := decode(strings.NewReader(body), req); err != nil {
		t.Fatal(err)
	}
	got, err := (&Handlers{}).typedResponse(req)
	if err != nil {
		t.Fatal(err)
	}
	roles := ""
	for _, m := range got.GetMessages() {
		roles += m.GetRole().String()[len("ROLE_"):] + " "
	}
	if roles != "SYSTEM USER ASSISTANT TOOL TOOL ASSISTANT ASSISTANT USER " {
		t.Fatalf("messages: %s", roles)
	}
	m := got.GetMessages()
	if a := m[2]; a.GetReasoning() != "Hm." || a.GetContent() != "I look." || len(a.GetToolCalls()) != 2 || a.GetToolCalls()[0].GetArguments() != `{"city":"Huế"}` {
		t.Errorf("the answer with calls: %v", a)
	}
	if m[0].GetContent() != "Be kind." || m[3].GetToolCallId() != "c2" || m[4].GetContent() != "rain" || m[5].GetContent() != "It rains." {
		t.Errorf("messages: %v", m)
	}
	if len(got.GetTools()) != 2 || !strings.Contains(got.GetTools()[0].GetParameters(), `"b": {}, "a"`) || got.GetToolChoice().GetToolName() != "weather" || got.ParallelToolCalls == nil || got.GetParallelToolCalls() {
		t.Errorf("tools: %v", got)
	}
	if got.GetResponseFormat().GetJsonSchema() != `{"type": "object"}` || !got.GetLogprobs() || got.GetTopLogprobs() != 2 || !got.GetThinking() {
		t.Errorf("%v", got)
	}
	if s := got.GetSampling(); s.GetMaxTokens() != 7 || s.GetTemperature() != 0.5 || s.GetTopK() != 3 {
		t.Errorf("sampling: %v", s)
	}
	text, err := json.Marshal(newResponse(req))
	if err != nil || !strings.Contains(string(text), `"tool_choice":{"type":"function","name":"weather"}`) || !strings.Contains(string(text), `"strict":true},{"type":"function","name":"time"}],"top_logprobs":2`) {
		t.Errorf("the response does not repeat the request: %s", text)
	}
}

// Only the tools that tool_choice allows are given to the model, in the forms of both
// APIs.
func TestAllowedTools(t *testing.T) {
	for _, choice := range []string{
		`{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"b"}]}`,
		`{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"b"}}]}}`,
	} {
		var c toolChoice
		if err := json.Unmarshal([]byte(choice), &c); err != nil {
			t.Fatal(err)
		}
		typed := &gatewayv1.ChatRequest{}
		if err := setTools(typed, []function{{Name: "a"}, {Name: "b"}}, c); err != nil {
			t.Fatal(err)
		}
		if len(typed.GetTools()) != 1 || typed.GetTools()[0].GetName() != "b" || typed.GetToolChoice().GetMode() != gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED {
			t.Errorf("%s: %v", choice, typed)
		}
	}
}

// An answer has the same items as a whole and as a stream, however it is cut into pieces:
// thoughts, text, and calls.
func TestResponseItems(t *testing.T) {
	resp := &gatewayv1.ChatResponse{
		Message: &gatewayv1.ChatMessage{Reasoning: "Hm, well.", Content: "I look it up.", ToolCalls: []*gatewayv1.ToolCall{
			{Id: "c1", Name: "weather", Arguments: `{"city":"Huế"}`}, {Id: "c2", Name: "time", Arguments: "{}"},
		}},
		FinishReason: gatewayv1.FinishReason_FINISH_REASON_TOOL_CALLS, Usage: &gatewayv1.Usage{PromptTokenCount: 3, CompletionTokenCount: 4, ReasoningTokenCount: 2},
		Logprobs: []*gatewayv1.TokenLogprob{{Token: &gatewayv1.TokenProbability{Text: "I", TextBytes: []byte("I"), Logprob: -1}}},
	}
	whole := &responseBuilder{response: newResponse(&responseRequest{})}
	if err := whole.add(pieceOf(resp)); err != nil {
		t.Fatal(err)
	}
	if err := whole.finish(); err != nil {
		t.Fatal(err)
	}
	want := shape(t, whole.response)
	const expected = `[{"id":"","type":"reasoning","status":"completed","content":[{"type":"reasoning_text","text":"Hm, well."}],"summary":[]},` +
		`{"id":"","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"I look it up.","annotations":[],"logprobs":[{"token":"I","logprob":-1,"bytes":[73],"top_logprobs":[]}]}]},` +
		`{"id":"","type":"function_call","status":"completed","call_id":"c1","name":"weather","arguments":"{\"city\":\"Huế\"}"},` +
		`{"id":"","type":"function_call","status":"completed","call_id":"c2","name":"time","arguments":"{}"}]`
	if want != expected {
		t.Fatalf("%s, want %s", want, expected)
	}
	for seed := range uint64(20) {
		w := httptest.NewRecorder()
		out := &responseBuilder{events: (&Handlers{}).newEvents(w), response: newResponse(&responseRequest{})}
		for _, piece := range cut(resp, rand.New(rand.NewPCG(seed, 1))) {
			if err := out.add(piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.finish(); err != nil {
			t.Fatal(err)
		}
		if got := shape(t, out.response); got != want {
			t.Errorf("seed %d: %s", seed, got)
		}
		if joined := joinDeltas(t, w.Body.String()); joined != `Hm, well.|I look it up.|{"city":"Huế"}|{}|` {
			t.Errorf("seed %d: the deltas are %s", seed, joined)
		}
	}
}

// shape returns the items of a response as JSON without their ids.
func shape(t *testing.T, r *response) string {
	t.Helper()
	for _, item := range r.Output {
		if item.ID == "" {
			t.Error("an item has no id")
		}
		item.ID = ""
	}
	text, err := json.Marshal(r.Output)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// cut returns an answer in pieces of random length.
func cut(resp *gatewayv1.ChatResponse, random *rand.Rand) (pieces []*gatewayv1.StreamChatResponse) {
	each := func(text string, piece func(part string) *gatewayv1.StreamChatResponse) {
		for runes := []rune(text); len(runes) > 0; {
			n := 1 + random.IntN(len(runes))
			pieces = append(pieces, piece(string(runes[:n])))
			runes = runes[n:]
		}
	}
	each(resp.GetMessage().GetReasoning(), func(p string) *gatewayv1.StreamChatResponse {
		return &gatewayv1.StreamChatResponse{ReasoningDelta: p}
	})
	pieces = append(pieces, &gatewayv1.StreamChatResponse{Logprobs: resp.GetLogprobs()})
	each(resp.GetMessage().GetContent(), func(p string) *gatewayv1.StreamChatResponse {
		return &gatewayv1.StreamChatResponse{Delta: p}
	})
	for i, c := range resp.GetMessage().GetToolCalls() {
		call := func(d *gatewayv1.ToolCallDelta) *gatewayv1.StreamChatResponse {
			d.Index = int32(i) //nolint:gosec // two calls
			return &gatewayv1.StreamChatResponse{ToolCallDeltas: []*gatewayv1.ToolCallDelta{d}}
		}
		pieces = append(pieces, call(&gatewayv1.ToolCallDelta{Id: c.GetId(), Name: c.GetName()}))
		each(c.GetArguments(), func(p string) *gatewayv1.StreamChatResponse { return call(&gatewayv1.ToolCallDelta{ArgumentsDelta: p}) })
	}
	return append(pieces, &gatewayv1.StreamChatResponse{FinishReason: resp.GetFinishReason(), Usage: resp.GetUsage()})
}

// joinDeltas returns the deltas of a stream, and "|" after each item.
func joinDeltas(t *testing.T, stream string) string {
	t.Helper()
	joined := ""
	for event := range strings.SplitSeq(stream, "\n\n") {
		_, data, ok := strings.Cut(event, "\ndata: ")
		if !ok {
			continue
		}
		var e struct{ Type, Delta string }
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		if joined += e.Delta; e.Type == "response.output_item.done" {
			joined += "|"
		}
	}
	return joined
}
