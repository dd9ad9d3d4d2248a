package api

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// untouched is a router that must not be asked: a request that cannot be served costs
// no worker.
type untouched struct{ t *testing.T }

func (u untouched) Breaker(string) *gatewayv1.Breaker { return nil }

func (u untouched) Run(context.Context, router.Request, router.Sink) (*gatewayv1.ServedBy, error) {
	u.t.Error("the request reached the router")
	return nil, errs.New(errs.Internal, "unexpected")
}

func TestChatsThatAreRefused(t *testing.T) {
	ask := &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_USER, Content: "Hi"}
	call := &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT, ToolCalls: []*gatewayv1.ToolCall{{Id: "1", Name: "f", Arguments: "{}"}}}
	answer := &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_TOOL, ToolCallId: "1"}
	tool := []*gatewayv1.Tool{{Name: "f"}}
	required := gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED
	schema := gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA
	for name, c := range map[string]struct {
		req  *gatewayv1.ChatRequest
		want string
	}{
		"top without logprobs":     {&gatewayv1.ChatRequest{TopLogprobs: 2}, "top_logprobs needs logprobs"},
		"no schema":                {&gatewayv1.ChatRequest{ResponseFormat: &gatewayv1.ResponseFormat{Type: schema}}, "is missing"},
		"schema without type":      {&gatewayv1.ChatRequest{ResponseFormat: &gatewayv1.ResponseFormat{JsonSchema: "{}"}}, "needs the type"},
		"a keyword":                {&gatewayv1.ChatRequest{ResponseFormat: &gatewayv1.ResponseFormat{Type: schema, JsonSchema: `{"not":{}}`}}, `"not" at #/not`},
		"a keyword of a tool":      {&gatewayv1.ChatRequest{Tools: []*gatewayv1.Tool{{Name: "f", Parameters: `{"type":"object","if":{},"then":{}}`}}}, "tools[0].parameters"},
		"arguments without a name": {&gatewayv1.ChatRequest{Tools: []*gatewayv1.Tool{{Name: "f", Parameters: `{"type":"string"}`}}}, "arguments have names"},
		"two tools of one name":    {&gatewayv1.ChatRequest{Tools: []*gatewayv1.Tool{{Name: "f"}, {Name: "f"}}}, "two tools"},
		"nothing to call":          {&gatewayv1.ChatRequest{ToolChoice: &gatewayv1.ToolChoice{Mode: required}}, "there are no tools"},
		"an unknown tool":          {&gatewayv1.ChatRequest{Tools: tool, ToolChoice: &gatewayv1.ToolChoice{Mode: required, ToolName: "g"}}, `"g", which is not in tools`},
		"a name without the mode":  {&gatewayv1.ChatRequest{Tools: tool, ToolChoice: &gatewayv1.ToolChoice{ToolName: "f"}}, "needs the mode"},
		"an answer to nothing":     {&gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{answer}}, "answers a call that no message before it has"},
		"two answers to one call":  {&gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{call, answer, answer}}, "messages[2]"},
		"a user's call": {&gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, ToolCalls: call.GetToolCalls()}}},
			"only for messages of ROLE_ASSISTANT"},
		"arguments that are no object": {&gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_ASSISTANT,
			ToolCalls: []*gatewayv1.ToolCall{{Name: "f", Arguments: "[1]"}}}}}, "not a JSON object"},
	} {
		if len(c.req.GetMessages()) == 0 {
			c.req.Messages = []*gatewayv1.ChatMessage{ask}
		}
		s := NewInference(InferenceOptions{Router: untouched{t}})
		_, err := s.Chat(t.Context(), c.req)
		if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
	if err := checkCalls([]*gatewayv1.ChatMessage{ask, call, answer, ask, call, {Role: gatewayv1.Role_ROLE_TOOL}}); err != nil {
		t.Error(err)
	}
}

func TestPiecesOfSeveralAnswers(t *testing.T) {
	var c chatCollector
	c.Begin()
	for _, piece := range []*gatewayv1.StreamChatResponse{
		{AnswerIndex: 1, ReasoningDelta: "hm"},
		{Delta: "Hel", Logprobs: []*gatewayv1.TokenLogprob{{Token: &gatewayv1.TokenProbability{Text: "Hel"}}}},
		{AnswerIndex: 1, ToolCallDeltas: []*gatewayv1.ToolCallDelta{{Id: "a", Name: "f", ArgumentsDelta: "{"}}},
		{Delta: "lo", FinishReason: gatewayv1.FinishReason_FINISH_REASON_STOP},
		{AnswerIndex: 1, ToolCallDeltas: []*gatewayv1.ToolCallDelta{{ArgumentsDelta: "}"}, {Index: 1, Id: "b", Name: "g", ArgumentsDelta: "{}"}}},
		{AnswerIndex: 1, FinishReason: gatewayv1.FinishReason_FINISH_REASON_TOOL_CALLS, Usage: &gatewayv1.Usage{CompletionTokenCount: 9}},
	} {
		if err := c.Emit(&enginev1.RunResponse{Payload: &enginev1.RunResponse_Chat{Chat: piece}}); err != nil {
			t.Fatal(err)
		}
	}
	want := &gatewayv1.ChatResponse{
		Message:      &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT, Content: "Hello"},
		FinishReason: gatewayv1.FinishReason_FINISH_REASON_STOP,
		Logprobs:     []*gatewayv1.TokenLogprob{{Token: &gatewayv1.TokenProbability{Text: "Hel"}}},
		Usage:        &gatewayv1.Usage{CompletionTokenCount: 9},
		Alternatives: []*gatewayv1.ChatAlternative{{
			Message: &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT, Reasoning: "hm", ToolCalls: []*gatewayv1.ToolCall{
				{Id: "a", Name: "f", Arguments: "{}"}, {Id: "b", Name: "g", Arguments: "{}"},
			}},
			FinishReason: gatewayv1.FinishReason_FINISH_REASON_TOOL_CALLS,
		}},
	}
	if got := c.response(nil); !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for _, bad := range []*gatewayv1.StreamChatResponse{{AnswerIndex: 4}, {AnswerIndex: -1}, {ToolCallDeltas: []*gatewayv1.ToolCallDelta{{Index: 64}}}} {
		if err := c.Emit(&enginev1.RunResponse{Payload: &enginev1.RunResponse_Chat{Chat: bad}}); errs.ReasonOf(err) != errs.Internal {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
