package openai

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Everything of a request that the typed API has reaches it.
func TestChatRequestIsTranslated(t *testing.T) {
	const body = `{
		"messages": [
			{"role": "user", "content": "Weather?"},
			{"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Huế\"}"}}]},
			{"role": "tool", "tool_call_id": "c1", "content": "rain"}
		],
		"tools": [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}, "strict": true}}],
		"tool_choice": {"type": "function", "function": {"name": "weather"}}, "parallel_tool_calls": false,
		"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {"type": "object"}}},
		"n": 3, "logprobs": true, "top_logprobs": 2, "reasoning_effort": "low"}`
	req := &chatRequest{}
	if err := decode(strings.NewReader(body), req); err != nil {
		t.Fatal(err)
	}
	got, err := (&Handlers{}).typed(req)
	if err != nil {
		t.Fatal(err)
	}
	m := got.GetMessages()
	if len(m) != 3 || m[1].GetToolCalls()[0].GetArguments() != `{"city":"Huế"}` || m[2].GetRole() != gatewayv1.Role_ROLE_TOOL || m[2].GetToolCallId() != "c1" {
		t.Errorf("messages: %v", m)
	}
	if tool := got.GetTools()[0]; tool.GetName() != "weather" || !strings.Contains(tool.GetParameters(), `"b": {}, "a"`) {
		t.Errorf("tools: %v", got.GetTools())
	}
	if c := got.GetToolChoice(); c.GetMode() != gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED || c.GetToolName() != "weather" || got.ParallelToolCalls == nil || got.GetParallelToolCalls() {
		t.Errorf("tool_choice: %v", got)
	}
	if f := got.GetResponseFormat(); f.GetType() != gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA || f.GetJsonSchema() != `{"type": "object"}` {
		t.Errorf("response_format: %v", f)
	}
	if got.GetN() != 3 || !got.GetLogprobs() || got.GetTopLogprobs() != 2 || !got.GetThinking() {
		t.Errorf("%v", got)
	}
	stream := streamRequest(got)
	if stream.GetN() != 3 || len(stream.GetTools()) != 1 || stream.GetToolChoice() == nil || stream.GetResponseFormat() == nil || !stream.GetLogprobs() || stream.ParallelToolCalls == nil {
		t.Errorf("a stream: %v", stream)
	}
	for _, wrong := range []string{`{"tools":[{"type":"web_search"}]}`, `{"tool_choice":"perhaps"}`, `{"tool_choice":{"type":"custom"}}`, `{"response_format":{"type":"xml"}}`} {
		req := &chatRequest{}
		err := decode(strings.NewReader(wrong), req)
		if err == nil {
			_, err = (&Handlers{}).typed(req)
		}
		if err == nil {
			t.Errorf("%s is accepted", wrong)
		}
	}
}

// What the typed API answers has the form of OpenAI's.
func TestChatAnswerIsTranslated(t *testing.T) {
	call := &gatewayv1.ChatMessage{ToolCalls: []*gatewayv1.ToolCall{{Id: "c1", Name: "f", Arguments: "{}"}}, Reasoning: "Hm."}
	piece := &gatewayv1.StreamChatResponse{AnswerIndex: 1, ReasoningDelta: "H", ToolCallDeltas: []*gatewayv1.ToolCallDelta{
		{Index: 0, Id: "c1", Name: "f"}, {Index: 0, ArgumentsDelta: "{"}, {Index: 0, ArgumentsDelta: "}"}, {Index: 1, Id: "c2", Name: "g"},
	}}
	impossible := &gatewayv1.TokenProbability{Logprob: float32(math.Inf(-1))}
	probability := &gatewayv1.TokenProbability{Text: "á", TextBytes: []byte("á"), Logprob: -0.5}
	for want, value := range map[string]any{
		`{"role":"assistant","content":null,"refusal":null,"reasoning_content":"Hm.","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}`: messageOf(call),
		`{"role":"assistant","content":"","refusal":null}`: messageOf(&gatewayv1.ChatMessage{}),
		`[{"reasoning_content":"H"},{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
			`{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":""}}]}]`: deltasOf(piece),
		`{"content":[{"token":"á","logprob":-0.5,"bytes":[195,161],"top_logprobs":[{"token":"á","logprob":-0.5,"bytes":[195,161]}]}],"refusal":null}`: logprobsOf(
			[]*gatewayv1.TokenLogprob{{Token: probability, Top: []*gatewayv1.TokenProbability{probability}}}),
		`{"content":[{"token":"","logprob":-9999,"bytes":[],"top_logprobs":[]}],"refusal":null}`: logprobsOf([]*gatewayv1.TokenLogprob{{Token: impossible}}),
		`"tool_calls"`: *finishReason(gatewayv1.FinishReason_FINISH_REASON_TOOL_CALLS),
	} {
		if got, err := json.Marshal(value); err != nil || string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Joined, the deltas of a transcription are its text, however it becomes final.
func TestDeltas(t *testing.T) {
	interim := func(text string) *gatewayv1.TranscriptionEvent {
		return &gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Interim{Interim: &gatewayv1.InterimTranscript{CommittedText: text, TentativeText: " perhaps"}}}
	}
	segment := func(text string) *gatewayv1.TranscriptionEvent {
		return &gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Segment{Segment: &gatewayv1.TranscriptSegment{Text: text}}}
	}
	final := func(text string) *gatewayv1.TranscriptionEvent {
		return &gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Final{Final: &gatewayv1.Transcript{Text: text}}}
	}
	for want, events := range map[string][]*gatewayv1.TranscriptionEvent{
		"One| two|, three.| Four| five.": {interim(""), interim("One"), interim("One two"), interim("One two, three."), interim("One two, three. Four"),
			segment("One two, three."), interim("Four"), interim("Four five."), segment("Four five."), final("One two, three. Four five.")},
		"One.| Two.": {segment("One."), segment("Two."), final("One. Two.")},
		"One.":       {final("One.")},
		"一。|二。":      {segment("一。"), segment("二。"), final("一。二。")},
	} {
		var told deltas
		var got []string
		for _, e := range events {
			if text := told.add(e); text != "" {
				got = append(got, text)
			}
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q, want %s", got, want)
		}
	}
}
