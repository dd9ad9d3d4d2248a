package api

import (
	"context"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Chat implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Chat(ctx context.Context, req *gatewayv1.ChatRequest) (*gatewayv1.ChatResponse, error) {
	if err := checkChat(req); err != nil {
		return nil, err
	}
	sink := &chatCollector{}
	run := request(req, chatRun(req))
	run.Collected = true
	served, err := s.router.Run(ctx, run, sink)
	if err != nil {
		return nil, err
	}
	return sink.response(served), nil
}

// StreamChat implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) StreamChat(req *gatewayv1.StreamChatRequest, stream gatewayv1.ModelGatewayService_StreamChatServer) error {
	sink := &streamRelay[*gatewayv1.StreamChatResponse]{
		pick: func(r *enginev1.RunResponse) (*gatewayv1.StreamChatResponse, bool, bool) {
			p, ok := r.GetPayload().(*enginev1.RunResponse_Chat)
			if !ok {
				return nil, false, false
			}
			return p.Chat, p.Chat.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_UNSPECIFIED, true
		},
		send: stream.Send,
	}
	whole := &gatewayv1.ChatRequest{
		Messages:          req.GetMessages(),
		Sampling:          req.GetSampling(),
		Thinking:          req.GetThinking(),
		Model:             req.GetModel(),
		Routing:           req.GetRouting(),
		ResponseFormat:    req.GetResponseFormat(),
		Tools:             req.GetTools(),
		ToolChoice:        req.GetToolChoice(),
		ParallelToolCalls: req.ParallelToolCalls,
		Logprobs:          req.GetLogprobs(),
		TopLogprobs:       req.GetTopLogprobs(),
		N:                 req.GetN(),
	}
	if err := checkChat(whole); err != nil {
		return err
	}
	served, err := s.router.Run(stream.Context(), request(req, chatRun(whole)), sink)
	if err != nil {
		return err
	}
	return sink.finish(&gatewayv1.StreamChatResponse{}, func(m *gatewayv1.StreamChatResponse) { m.ServedBy = served })
}

func chatRun(req *gatewayv1.ChatRequest) *enginev1.RunRequest {
	return &enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: req}}
}
