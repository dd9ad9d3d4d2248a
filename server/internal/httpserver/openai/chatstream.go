package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
)

// loadCommentInterval is how often a client that waits for a load is told how far it
// is.
const loadCommentInterval = time.Second

// streamChat answers with chunks. withUsage adds one with the number of tokens.
func (h *Handlers) streamChat(w http.ResponseWriter, r *http.Request, typed *gatewayv1.ChatRequest, head completion, withUsage bool) {
	ctx, err := h.opts.API.CallContext(r, gatewayv1.ModelGatewayService_StreamChat_FullMethodName)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &chunks{events: h.newEvents(w), head: head, withUsage: withUsage}
	defer out.close()
	stream, piece, err := h.openChat(ctx, r, out.events, typed)
	for ; err == nil; piece, err = stream.Recv() {
		if err := out.add(piece); err != nil {
			return // the client is gone, or reads too slowly
		}
	}
	if !errors.Is(err, io.EOF) {
		out.fail(err)
		return
	}
	_ = out.done() // fails only if the client is gone
}

// openChat begins a chat and waits for its first piece. Meanwhile it tells the client
// how far the load of the model is.
func (h *Handlers) openChat(ctx context.Context, r *http.Request, out *events, req *gatewayv1.ChatRequest) (gatewayv1.ModelGatewayService_StreamChatClient, *gatewayv1.StreamChatResponse, error) {
	for {
		stream, err := h.client.StreamChat(ctx, streamRequest(req))
		if err != nil {
			return nil, nil, err
		}
		piece, err := h.firstPiece(r, out, stream, req.GetModel())
		if err == nil || !lowerMaxTokens(req.GetSampling(), err) {
			return stream, piece, err
		}
	}
}

func streamRequest(req *gatewayv1.ChatRequest) *gatewayv1.StreamChatRequest {
	return &gatewayv1.StreamChatRequest{
		Messages: req.GetMessages(), Sampling: req.GetSampling(), Thinking: req.GetThinking(), Model: req.GetModel(), Routing: req.GetRouting(),
		ResponseFormat: req.GetResponseFormat(), Tools: req.GetTools(), ToolChoice: req.GetToolChoice(), ParallelToolCalls: req.ParallelToolCalls,
		Logprobs: req.GetLogprobs(), TopLogprobs: req.GetTopLogprobs(), N: req.GetN(),
	}
}

// firstPiece waits for the first piece of an answer.
func (h *Handlers) firstPiece(r *http.Request, out *events, stream gatewayv1.ModelGatewayService_StreamChatClient, model string) (*gatewayv1.StreamChatResponse, error) {
	type received struct {
		piece *gatewayv1.StreamChatResponse
		err   error
	}
	first := make(chan received, 1)
	go func() {
		piece, err := stream.Recv()
		first <- received{piece, err}
	}()
	tick := time.NewTicker(loadCommentInterval)
	defer tick.Stop()
	for {
		select {
		case got := <-first:
			return got.piece, got.err
		case <-tick.C:
			if percent, ok := h.loading(r, model, enginev1.Task_TASK_CHAT); ok {
				_ = out.comment(fmt.Sprintf("loading %d%%", percent)) // if the client is gone, the stream ends
			}
		}
	}
}

// chunks writes the pieces of an answer as chunks of a completion.
type chunks struct {
	*events
	head      completion
	withUsage bool
	answers   map[int32]bool // the answers that have a chunk
}

// add sends the chunks of a piece.
func (c *chunks) add(piece *gatewayv1.StreamChatResponse) error {
	one := choice{Index: int(piece.GetAnswerIndex()), Logprobs: logprobsOf(piece.GetLogprobs())}
	if !c.answers[piece.GetAnswerIndex()] {
		if c.answers == nil {
			c.answers = map[int32]bool{}
		}
		c.answers[piece.GetAnswerIndex()] = true
		empty := ""
		if err := c.send(choice{Index: one.Index, Delta: &delta{Role: "assistant", Content: &empty}}); err != nil {
			return err
		}
	}
	deltas := deltasOf(piece)
	if len(deltas) == 0 && one.Logprobs != nil {
		deltas = []*delta{{}}
	}
	for _, d := range deltas {
		one.Delta = d
		if err := c.send(one); err != nil {
			return err
		}
		one.Logprobs = nil
	}
	if piece.GetServedBy() != nil {
		speech.SetServedBy(c.w.Header(), piece.GetServedBy())
	}
	if piece.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_UNSPECIFIED {
		if err := c.send(choice{Index: one.Index, Delta: &delta{}, FinishReason: finishReason(piece.GetFinishReason())}); err != nil {
			return err
		}
	}
	if !c.withUsage || piece.GetUsage() == nil {
		return nil
	}
	last := c.head
	last.Choices, last.Usage = []choice{}, usageOf(piece.GetUsage())
	return c.events.send(last)
}

// deltasOf returns what a piece adds to an answer. Each has at most one entry of
// tool_calls, because some clients read only the first one of a chunk.
func deltasOf(piece *gatewayv1.StreamChatResponse) []*delta {
	var all []*delta
	if text := piece.GetDelta(); text != "" || piece.GetReasoningDelta() != "" {
		d := &delta{Reasoning: piece.GetReasoningDelta()}
		if text != "" {
			d.Content = &text
		}
		all = append(all, d)
	}
	var call *toolCall
	for _, c := range piece.GetToolCallDeltas() {
		if index := c.GetIndex(); call == nil || *call.Index != index {
			d := &delta{ToolCalls: []toolCall{{Index: &index}}}
			call = &d.ToolCalls[0]
			all = append(all, d)
		}
		if c.GetId() != "" {
			call.ID, call.Type = c.GetId(), "function"
		}
		call.Function.Name += c.GetName()
		call.Function.Arguments += c.GetArgumentsDelta()
	}
	return all
}

// send sends a chunk with one choice.
func (c *chunks) send(one choice) error {
	chunk := c.head
	chunk.Choices = []choice{one}
	if c.withUsage {
		chunk.Usage = (*usage)(nil)
	}
	return c.events.send(chunk)
}
