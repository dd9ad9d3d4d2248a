package llama

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Chat implements engines.Chatter. Several answers are generated together; they share
// the computed prompt.
func (m *model) Chat(ctx context.Context, req *gatewayv1.ChatRequest, emit func(*gatewayv1.StreamChatResponse) error) error {
	grammar, err := grammarOf(req)
	if err != nil {
		return err
	}
	c := &chatRun{model: m, req: req, grammar: grammar, emit: emit, left: max(1, int(req.GetN())), usage: &gatewayv1.Usage{}}
	group, ctx := errgroup.WithContext(ctx)
	for i := range c.left {
		group.Go(func() error { return c.answer(ctx, int32(i)) }) //nolint:gosec // at most 4
	}
	return group.Wait()
}

// grammarOf returns the grammar of the answer, or nothing if it may be any text.
func grammarOf(req *gatewayv1.ChatRequest) (string, error) {
	switch format := req.GetResponseFormat(); format.GetType() {
	case gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_OBJECT:
		return jsongrammar.Object(), nil
	case gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA:
		return jsongrammar.Schema(format.GetJsonSchema(), "response_format.json_schema")
	default:
		return "", nil
	}
}

// chatRun is one call of Chat.
type chatRun struct {
	model   *model
	req     *gatewayv1.ChatRequest
	grammar string

	mu    sync.Mutex // of what follows
	emit  func(*gatewayv1.StreamChatResponse) error
	left  int // answers that have not ended
	usage *gatewayv1.Usage
}

// answer generates one answer.
func (c *chatRun) answer(ctx context.Context, index int32) error {
	result, err := c.model.generate(ctx, task{
		messages: c.req.GetMessages(),
		sampling: c.req.GetSampling(),
		thinking: c.req.GetThinking(),
		grammar:  c.grammar,
		logprobs: c.req.GetLogprobs(),
		top:      int(c.req.GetTopLogprobs()),
		answer:   uint32(index), //nolint:gosec // at most 4
	}, func(o batching.Output) error { return c.piece(index, o) })
	if err != nil {
		return err
	}
	return c.end(index, result)
}

// piece emits a piece of an answer.
func (c *chatRun) piece(index int32, o batching.Output) error {
	message := &gatewayv1.StreamChatResponse{AnswerIndex: index, Delta: o.Text}
	if c.req.GetThinking() {
		message.ReasoningDelta = o.Thought
	}
	for _, l := range o.Logprobs {
		message.Logprobs = append(message.Logprobs, c.model.logprob(l))
	}
	if message.GetDelta() == "" && message.GetReasoningDelta() == "" && len(message.GetLogprobs()) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.emit(message)
}

// end emits the end of an answer. The usage, of all answers, is in the last one. The
// prompt counts once.
func (c *chatRun) end(index int32, result batching.Result) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	message := &gatewayv1.StreamChatResponse{AnswerIndex: index, FinishReason: result.Finish}
	u := usage(result)
	c.usage.PromptTokenCount = u.GetPromptTokenCount()
	if c.usage.CompletionTokenCount == 0 || u.GetCachedPromptTokenCount() < c.usage.GetCachedPromptTokenCount() {
		c.usage.CachedPromptTokenCount = u.GetCachedPromptTokenCount()
	}
	c.usage.CompletionTokenCount += u.GetCompletionTokenCount()
	c.usage.ReasoningTokenCount += u.GetReasoningTokenCount()
	if c.left--; c.left == 0 {
		message.Usage = c.usage
	}
	return c.emit(message)
}

// logprob converts the likelihood of a token.
func (m *model) logprob(l *batching.Logprobs) *gatewayv1.TokenLogprob {
	convert := func(l batching.Likelihood) *gatewayv1.TokenProbability {
		piece := m.vocab.Piece(l.Token)
		return &gatewayv1.TokenProbability{
			Text:      strings.ToValidUTF8(string(piece), "\uFFFD"),
			TextBytes: piece,
			Logprob:   l.Logprob,
		}
	}
	out := &gatewayv1.TokenLogprob{Token: convert(l.Likelihood)}
	for _, top := range l.Top {
		out.Top = append(out.Top, convert(top))
	}
	return out
}
