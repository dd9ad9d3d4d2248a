package openai

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
)

// completion is a chat completion, or a chunk of one.
type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	// Usage is left out of chunks unless the client asks for it. It is null in all but
	// the last one then.
	Usage any `json:"usage,omitempty"`
}

type choice struct {
	Index        int       `json:"index"`
	Message      *message  `json:"message,omitempty"`
	Delta        *delta    `json:"delta,omitempty"`
	FinishReason *string   `json:"finish_reason"`
	Logprobs     *logprobs `json:"logprobs"`
}

type message struct {
	Role      string     `json:"role"`
	Content   *string    `json:"content"` // null beside calls of tools
	Refusal   *string    `json:"refusal"`
	Reasoning string     `json:"reasoning_content,omitempty"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

type delta struct {
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content,omitempty"`
	Reasoning string     `json:"reasoning_content,omitempty"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

// toolCall is a call of a tool, or the next piece of one.
type toolCall struct {
	Index    *int32       `json:"index,omitempty"` // of a piece
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function functionCall `json:"function"`
}

type functionCall struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

func messageOf(m *gatewayv1.ChatMessage) *message {
	text := m.GetContent()
	out := &message{Role: "assistant", Content: &text, Reasoning: m.GetReasoning()}
	for _, c := range m.GetToolCalls() {
		out.ToolCalls = append(out.ToolCalls, toolCall{ID: c.GetId(), Type: "function", Function: functionCall{c.GetName(), c.GetArguments()}})
	}
	if text == "" && len(out.ToolCalls) > 0 {
		out.Content = nil
	}
	return out
}

// logprobs are the probabilities of the tokens of an answer, or of a piece of one.
type logprobs struct {
	Content []tokenLogprob `json:"content"`
	Refusal []tokenLogprob `json:"refusal"`
}

type tokenLogprob struct {
	Token       string         `json:"token"`
	Logprob     float32        `json:"logprob"`
	Bytes       []int          `json:"bytes"`
	TopLogprobs []tokenLogprob `json:"top_logprobs,omitzero"`
}

func logprobsOf(list []*gatewayv1.TokenLogprob) *logprobs {
	if len(list) == 0 {
		return nil
	}
	out := &logprobs{}
	for _, l := range list {
		one := tokenLogprobOf(l.GetToken())
		one.TopLogprobs = []tokenLogprob{}
		for _, other := range l.GetTop() {
			one.TopLogprobs = append(one.TopLogprobs, tokenLogprobOf(other))
		}
		out.Content = append(out.Content, one)
	}
	return out
}

// leastLogprob stands for impossible tokens, as in OpenAI's answers.
const leastLogprob = -9999

func tokenLogprobOf(p *gatewayv1.TokenProbability) tokenLogprob {
	one := tokenLogprob{Token: p.GetText(), Logprob: p.GetLogprob(), Bytes: []int{}}
	if !(one.Logprob > leastLogprob) { // JSON has neither infinity nor NaN
		one.Logprob = leastLogprob
	}
	for _, b := range p.GetTextBytes() {
		one.Bytes = append(one.Bytes, int(b))
	}
	return one
}

type usage struct {
	PromptTokens     int32         `json:"prompt_tokens"`
	CompletionTokens int32         `json:"completion_tokens"`
	TotalTokens      int32         `json:"total_tokens"`
	PromptDetails    promptDetails `json:"prompt_tokens_details"`
	OutputDetails    outputDetails `json:"completion_tokens_details"`
}

type promptDetails struct {
	CachedTokens int32 `json:"cached_tokens"`
}

type outputDetails struct {
	ReasoningTokens int32 `json:"reasoning_tokens"`
}

func usageOf(u *gatewayv1.Usage) usage {
	return usage{
		PromptTokens: u.GetPromptTokenCount(), CompletionTokens: u.GetCompletionTokenCount(),
		TotalTokens:   u.GetPromptTokenCount() + u.GetCompletionTokenCount(),
		PromptDetails: promptDetails{CachedTokens: u.GetCachedPromptTokenCount()},
		OutputDetails: outputDetails{ReasoningTokens: u.GetReasoningTokenCount()},
	}
}

func finishReason(r gatewayv1.FinishReason) *string {
	name := "stop"
	switch r {
	case gatewayv1.FinishReason_FINISH_REASON_LENGTH:
		name = "length"
	case gatewayv1.FinishReason_FINISH_REASON_SAFETY:
		name = "content_filter"
	case gatewayv1.FinishReason_FINISH_REASON_TOOL_CALLS:
		name = "tool_calls"
	}
	return &name
}

// ChatCompletions serves POST of chat/completions.
func (h *Handlers) ChatCompletions(w http.ResponseWriter, r *http.Request) {
	req := &chatRequest{}
	if err := decode(r.Body, req); err != nil {
		reply.OpenAIError(w, err)
		return
	}
	typed, err := h.typed(req)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	head := completion{ID: newID("chatcmpl-"), Object: "chat.completion", Created: time.Now().Unix(), Model: req.Model}
	if req.Stream {
		head.Object = "chat.completion.chunk"
		h.streamChat(w, r, typed, head, req.StreamOptions.IncludeUsage)
		return
	}
	ctx, err := h.opts.API.CallContext(r, gatewayv1.ModelGatewayService_Chat_FullMethodName)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	resp, err := h.chat(ctx, typed)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	speech.SetServedBy(w.Header(), resp.GetServedBy())
	head.Choices = []choice{{
		Message: messageOf(resp.GetMessage()), FinishReason: finishReason(resp.GetFinishReason()), Logprobs: logprobsOf(resp.GetLogprobs()),
	}}
	for i, a := range resp.GetAlternatives() {
		head.Choices = append(head.Choices, choice{
			Index: i + 1, Message: messageOf(a.GetMessage()), FinishReason: finishReason(a.GetFinishReason()), Logprobs: logprobsOf(a.GetLogprobs()),
		})
	}
	head.Usage = usageOf(resp.GetUsage())
	answer(w, head)
}

// chat returns the whole answer. A limit of tokens for which the context window has no
// room is lowered.
func (h *Handlers) chat(ctx context.Context, req *gatewayv1.ChatRequest) (*gatewayv1.ChatResponse, error) {
	resp, err := h.client.Chat(ctx, req)
	if err != nil && lowerMaxTokens(req.GetSampling(), err) {
		resp, err = h.client.Chat(ctx, req)
	}
	return resp, err
}

// lowerMaxTokens sets the limit of tokens to what the context window has room for, if
// err says that this is all that is wrong, and reports whether it did.
func lowerMaxTokens(s *gatewayv1.SamplingOptions, err error) bool {
	meta := errs.From(err).Metadata()
	prompt, err1 := strconv.Atoi(meta["prompt_tokens"])
	room, err2 := strconv.Atoi(meta["context_tokens"])
	if err1 != nil || err2 != nil || prompt >= room || s.MaxTokens == nil || int(s.GetMaxTokens()) <= room-prompt {
		return false
	}
	left := int32(room - prompt) //nolint:gosec // less than MaxTokens
	s.MaxTokens = &left
	return true
}
