package llama

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
	"github.com/lexilingo/modelgateway/engines/llama/chatprompt"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Chat implements engines.Chatter. Several answers are generated together; they share
// the computed prompt.
func (m *model) Chat(ctx context.Context, req *gatewayv1.ChatRequest, emit func(*gatewayv1.StreamChatResponse) error) error {
	c := &chatRun{model: m, req: req, emit: emit, left: max(1, int(req.GetN())), usage: &gatewayv1.Usage{}}
	c.readers = make([]*callReader, c.left)
	if c.tools = jsongrammar.Offered(req); len(c.tools) > 0 {
		for i := range c.readers {
			c.readers[i] = newCallReader(m.prompter.CallFormat())
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range c.left {
		group.Go(func() error { return c.answer(ctx, int32(i)) }) //nolint:gosec // at most 4
	}
	return group.Wait()
}

// chatRun is one call of Chat.
type chatRun struct {
	model *model
	req   *gatewayv1.ChatRequest
	tools []*gatewayv1.Tool // that may be called
	// readers find the calls in the answers. They are nil without tools.
	readers []*callReader

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
		tools:    c.tools,
		compose:  c.grammar,
		logprobs: c.req.GetLogprobs(),
		top:      int(c.req.GetTopLogprobs()),
		answer:   uint32(index), //nolint:gosec // at most 4
	}, func(o batching.Output) error { return c.piece(index, o) })
	if err != nil {
		return err
	}
	return c.end(index, result)
}

// grammar returns the grammar of the answers, if they may not be any text.
func (c *chatRun) grammar(prompt chatprompt.Prompt) (string, error) {
	format := c.model.prompter.CallFormat()
	return jsongrammar.Chat(c.req, jsongrammar.Syntax{
		Prefix: format.Prefix, Middle: format.Middle, Between: format.Between, Suffix: format.Suffix,
		Trigger: format.Trigger(), CallID: chatprompt.CallID,
		MayThink: c.req.GetThinking(), InsideThought: prompt.InsideThought,
	})
}

// piece emits a piece of an answer.
func (c *chatRun) piece(index int32, o batching.Output) error {
	message := &gatewayv1.StreamChatResponse{AnswerIndex: index, Delta: o.Text}
	if reader := c.readers[index]; reader != nil {
		message.Delta, message.ToolCallDeltas = reader.push(o.Text)
	}
	if c.req.GetThinking() {
		message.ReasoningDelta = o.Thought
	}
	for _, l := range o.Logprobs {
		message.Logprobs = append(message.Logprobs, c.model.logprob(l))
	}
	if proto.Size(message) == proto.Size(&gatewayv1.StreamChatResponse{AnswerIndex: index}) {
		return nil // there is nothing in it
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
	if reader := c.readers[index]; reader != nil {
		called := false
		if message.Delta, called = reader.flush(); called && result.Finish == gatewayv1.FinishReason_FINISH_REASON_STOP {
			message.FinishReason = gatewayv1.FinishReason_FINISH_REASON_TOOL_CALLS
		}
	}
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
