package api

import (
	"context"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Chat implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Chat(ctx context.Context, req *gatewayv1.ChatRequest) (*gatewayv1.ChatResponse, error) {
	sink := &chatCollector{}
	served, err := s.router.Run(ctx, request(req, chatRun(req)), sink)
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
	first := chatRun(&gatewayv1.ChatRequest{
		Messages: req.GetMessages(),
		Sampling: req.GetSampling(),
		Thinking: req.GetThinking(),
		Model:    req.GetModel(),
		Routing:  req.GetRouting(),
	})
	served, err := s.router.Run(stream.Context(), request(req, first), sink)
	if err != nil {
		return err
	}
	return sink.finish(&gatewayv1.StreamChatResponse{}, func(m *gatewayv1.StreamChatResponse) { m.ServedBy = served })
}

func chatRun(req *gatewayv1.ChatRequest) *enginev1.RunRequest {
	return &enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: req}}
}

// Grammar implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Grammar(ctx context.Context, req *gatewayv1.GrammarRequest) (*gatewayv1.GrammarResponse, error) {
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Grammar{Grammar: req}}
	resp, served, err := ask(ctx, s.router, request(req, first), (*enginev1.RunResponse).GetGrammar)
	if err != nil {
		return nil, err
	}
	resp.ServedBy = served
	return resp, nil
}

// Respond implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Respond(ctx context.Context, req *gatewayv1.RespondRequest) (*gatewayv1.RespondResponse, error) {
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Respond{Respond: req}}
	resp, served, err := ask(ctx, s.router, request(req, first), (*enginev1.RunResponse).GetRespond)
	if err != nil {
		return nil, err
	}
	resp.ServedBy = served
	return resp, nil
}

// ExplainVietnamese implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) ExplainVietnamese(ctx context.Context, req *gatewayv1.ExplainVietnameseRequest) (*gatewayv1.ExplainVietnameseResponse, error) {
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_ExplainVietnamese{ExplainVietnamese: req}}
	resp, served, err := ask(ctx, s.router, request(req, first), (*enginev1.RunResponse).GetExplainVietnamese)
	if err != nil {
		return nil, err
	}
	resp.ServedBy = served
	return resp, nil
}
