package api

import (
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// maxAnswers is how many answers one request may have, and maxCalls how many calls
	// of tools one answer.
	maxAnswers = 4
	maxCalls   = 64
	// maxLogprobs is the size limit of the logprobs of one request, in bytes.
	maxLogprobs = 4 << 20
)

// chatCollector is the sink of a unary Chat: it joins the pieces of the answers.
type chatCollector struct {
	answers  []*chatAnswer
	usage    *gatewayv1.Usage
	size     int // of the text of all answers
	logprobs int // bytes
}

// chatAnswer is one answer so far.
type chatAnswer struct {
	text, reasoning []byte
	calls           []*toolCall
	finish          gatewayv1.FinishReason
	logprobs        []*gatewayv1.TokenLogprob
}

type toolCall struct {
	id, name  string
	arguments []byte
}

func (c *chatCollector) Begin() { *c = chatCollector{} }

func (c *chatCollector) Emit(resp *enginev1.RunResponse) error {
	p, ok := resp.GetPayload().(*enginev1.RunResponse_Chat)
	if !ok {
		return wrongAnswer()
	}
	if u := p.Chat.GetUsage(); u != nil {
		c.usage = u
	}
	a, err := c.answer(p.Chat.GetAnswerIndex())
	if err != nil {
		return err
	}
	c.size += len(p.Chat.GetDelta()) + len(p.Chat.GetReasoningDelta())
	for _, call := range p.Chat.GetToolCallDeltas() {
		c.size += len(call.GetId()) + len(call.GetName()) + len(call.GetArgumentsDelta())
	}
	for _, l := range p.Chat.GetLogprobs() {
		c.logprobs += proto.Size(l)
	}
	if c.size > maxText {
		return tooLong(maxText)
	}
	if c.logprobs > maxLogprobs {
		return errs.New(errs.InvalidRequest, "the logprobs of the answer have more than %d MiB: lower top_logprobs or max_tokens, or stream the answer",
			maxLogprobs>>20).With("fields", "top_logprobs")
	}
	return a.add(p.Chat)
}

func (c *chatCollector) Committed() bool { return false }

// answer returns the answer with an index.
func (c *chatCollector) answer(index int32) (*chatAnswer, error) {
	if index < 0 || index >= maxAnswers {
		return nil, errs.New(errs.Internal, "the engine sent an answer with the index %d", index)
	}
	for len(c.answers) <= int(index) {
		c.answers = append(c.answers, &chatAnswer{})
	}
	return c.answers[index], nil
}

// add adds a piece.
func (a *chatAnswer) add(piece *gatewayv1.StreamChatResponse) error {
	a.text = append(a.text, piece.GetDelta()...)
	a.reasoning = append(a.reasoning, piece.GetReasoningDelta()...)
	a.logprobs = append(a.logprobs, piece.GetLogprobs()...)
	if f := piece.GetFinishReason(); f != gatewayv1.FinishReason_FINISH_REASON_UNSPECIFIED {
		a.finish = f
	}
	for _, d := range piece.GetToolCallDeltas() {
		if d.GetIndex() < 0 || d.GetIndex() >= maxCalls {
			return errs.New(errs.Internal, "the engine sent a tool call with the index %d", d.GetIndex())
		}
		for len(a.calls) <= int(d.GetIndex()) {
			a.calls = append(a.calls, &toolCall{})
		}
		call := a.calls[d.GetIndex()]
		call.id += d.GetId()
		call.name += d.GetName()
		call.arguments = append(call.arguments, d.GetArgumentsDelta()...)
	}
	return nil
}

// message returns the whole answer.
func (a *chatAnswer) message() *gatewayv1.ChatMessage {
	m := &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT, Content: string(a.text), Reasoning: string(a.reasoning)}
	for _, call := range a.calls {
		m.ToolCalls = append(m.ToolCalls, &gatewayv1.ToolCall{Id: call.id, Name: call.name, Arguments: string(call.arguments)})
	}
	return m
}

// response returns all answers.
func (c *chatCollector) response(served *gatewayv1.ServedBy) *gatewayv1.ChatResponse {
	out := &gatewayv1.ChatResponse{Usage: c.usage, ServedBy: served, Message: (&chatAnswer{}).message()}
	for i, a := range c.answers {
		if i == 0 {
			out.Message, out.FinishReason, out.Logprobs = a.message(), a.finish, a.logprobs
			continue
		}
		out.Alternatives = append(out.Alternatives, &gatewayv1.ChatAlternative{
			Message: a.message(), FinishReason: a.finish, Logprobs: a.logprobs,
		})
	}
	return out
}
