package openai

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
)

// The states of a response and of its items.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

// response is an answer of the responses API.
type response struct {
	ID                 string             `json:"id"`
	Object             string             `json:"object"`
	CreatedAt          int64              `json:"created_at"`
	CompletedAt        *int64             `json:"completed_at"`
	Status             string             `json:"status"`
	Background         bool               `json:"background"`
	Error              *responseError     `json:"error"`
	IncompleteDetails  *incompleteDetails `json:"incomplete_details"`
	Instructions       *string            `json:"instructions"`
	MaxOutputTokens    *int64             `json:"max_output_tokens"`
	Metadata           json.RawMessage    `json:"metadata"`
	Model              string             `json:"model"`
	Output             []*outputItem      `json:"output"`
	ParallelToolCalls  bool               `json:"parallel_tool_calls"`
	PreviousResponseID *string            `json:"previous_response_id"`
	Reasoning          json.RawMessage    `json:"reasoning"`
	Store              bool               `json:"store"`
	Temperature        *float32           `json:"temperature"`
	Text               json.RawMessage    `json:"text"`
	ToolChoice         json.RawMessage    `json:"tool_choice"`
	Tools              json.RawMessage    `json:"tools"`
	TopLogprobs        int32              `json:"top_logprobs"`
	TopP               *float32           `json:"top_p"`
	Truncation         string             `json:"truncation"`
	Usage              *responseUsage     `json:"usage"`
}

type responseError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type incompleteDetails struct {
	Reason string `json:"reason"`
}

// outputItem is a message of the model, its thoughts, or a call of a tool.
type outputItem struct {
	ID        string         `json:"id"`
	Type      string         `json:"type"`
	Status    string         `json:"status"`
	Role      string         `json:"role,omitempty"`    // of a message
	Content   []*contentPart `json:"content,omitzero"`  // of a message and of thoughts
	Summary   []string       `json:"summary,omitzero"`  // of thoughts; always empty
	CallID    string         `json:"call_id,omitempty"` // of a call
	Name      string         `json:"name,omitempty"`
	Arguments *string        `json:"arguments,omitempty"`
}

type contentPart struct {
	Type        string         `json:"type"`
	Text        string         `json:"text"`
	Annotations []string       `json:"annotations,omitzero"` // of the text of a message; always empty
	Logprobs    []tokenLogprob `json:"logprobs,omitzero"`
}

type responseUsage struct {
	InputTokens   int32         `json:"input_tokens"`
	InputDetails  promptDetails `json:"input_tokens_details"`
	OutputTokens  int32         `json:"output_tokens"`
	OutputDetails outputDetails `json:"output_tokens_details"`
	TotalTokens   int32         `json:"total_tokens"`
}

func responseUsageOf(typed *gatewayv1.Usage) *responseUsage {
	u := usageOf(typed)
	return &responseUsage{u.PromptTokens, u.PromptDetails, u.CompletionTokens, u.OutputDetails, u.TotalTokens}
}

// newResponse returns a response that has not begun.
func newResponse(req *responseRequest) *response {
	metadata := req.Metadata
	if isNull(metadata) {
		metadata = json.RawMessage("{}")
	}
	return &response{
		ID: newID("resp_"), Object: "response", CreatedAt: time.Now().Unix(), Status: inProgress,
		Instructions: req.Instructions, MaxOutputTokens: req.MaxOutputTokens, Metadata: metadata, Model: req.Model, Output: []*outputItem{},
		ParallelToolCalls: req.ParallelToolCalls == nil || *req.ParallelToolCalls,
		Reasoning:         req.Reasoning.or(`{"effort":null,"summary":null}`), Temperature: req.Temperature,
		Text: req.Text.or(`{"format":{"type":"text"}}`), ToolChoice: req.ToolChoice.or(`"auto"`), Tools: req.Tools.or("[]"),
		TopLogprobs: req.TopLogprobs, TopP: req.TopP, Truncation: "disabled",
	}
}

// Responses serves POST of responses.
func (h *Handlers) Responses(w http.ResponseWriter, r *http.Request) {
	req := &responseRequest{}
	if err := decode(r.Body, req); err != nil {
		reply.OpenAIError(w, err)
		return
	}
	typed, err := h.typedResponse(req)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	if req.Stream {
		h.streamResponse(w, r, typed, newResponse(req))
		return
	}
	ctx, err := h.opts.API.CallContext(r, gatewayv1.ModelGatewayService_Chat_FullMethodName)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	resp, err := h.chat(ctx, typed)
	if err != nil {
		reply.OpenAIError(w, renamed(err))
		return
	}
	speech.SetServedBy(w.Header(), resp.GetServedBy())
	out := &responseBuilder{response: newResponse(req)}
	_ = out.add(pieceOf(resp)) // fails only where events are sent
	_ = out.finish()
	answer(w, out.response)
}

// pieceOf returns a whole answer as the only piece of a stream.
func pieceOf(resp *gatewayv1.ChatResponse) *gatewayv1.StreamChatResponse {
	m := resp.GetMessage()
	piece := &gatewayv1.StreamChatResponse{
		ReasoningDelta: m.GetReasoning(), Delta: m.GetContent(), Logprobs: resp.GetLogprobs(),
		FinishReason: resp.GetFinishReason(), Usage: resp.GetUsage(),
	}
	for i, c := range m.GetToolCalls() {
		piece.ToolCallDeltas = append(piece.ToolCallDeltas, &gatewayv1.ToolCallDelta{
			Index: int32(i), Id: c.GetId(), Name: c.GetName(), ArgumentsDelta: c.GetArguments(), //nolint:gosec // at most 64
		})
	}
	return piece
}

// responseNames replaces names of the typed API by those of the responses API.
var responseNames = strings.NewReplacer(
	"response_format.json_schema", "text.format.schema", "sampling.max_tokens", "max_output_tokens",
	"the model's message with tool_calls", "the item function_call",
)

// renamed returns an error of a chat with the names of the responses API.
func renamed(err error) error {
	e := errs.From(err).Rewrite(responseNames.Replace)
	if strings.HasPrefix(e.Metadata()["fields"], "messages") {
		return e.With("fields", "input")
	}
	return e
}

// StoredResponses serves the paths of responses that are kept: there are none.
func (h *Handlers) StoredResponses(w http.ResponseWriter, r *http.Request) {
	reply.OpenAIError(w, &runtime.HTTPStatusError{HTTPStatus: http.StatusNotFound, Err: errs.New(errs.InvalidRequest,
		"nothing is served at %s: this server keeps no responses; POST %s/responses has the whole answer", errs.Shorten(r.URL.Path), reply.OpenAIBase)})
}
