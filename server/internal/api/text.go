package api

import (
	"context"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// Chat implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Chat(ctx context.Context, req *gatewayv1.ChatRequest) (*gatewayv1.ChatResponse, error) {
	sink := &collected{}
	served, err := s.router.Run(ctx, router.Request{
		Task: config.TaskChat, Model: req.GetModel(), Routing: req.GetRouting(), First: chatRun(req),
	}, sink)
	if err != nil {
		return nil, err
	}
	return sink.response(served), nil
}

// StreamChat implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) StreamChat(req *gatewayv1.StreamChatRequest, stream gatewayv1.ModelGatewayService_StreamChatServer) error {
	sink := &relayed[*gatewayv1.StreamChatResponse]{
		pick: func(r *enginev1.RunResponse) (*gatewayv1.StreamChatResponse, bool, bool) {
			p, ok := r.GetPayload().(*enginev1.RunResponse_Chat)
			if !ok {
				return nil, false, false
			}
			return p.Chat, p.Chat.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_UNSPECIFIED, true
		},
		send: stream.Send,
	}
	served, err := s.router.Run(stream.Context(), router.Request{
		Task: config.TaskChat, Model: req.GetModel(), Routing: req.GetRouting(),
		First: chatRun(&gatewayv1.ChatRequest{
			Messages: req.GetMessages(),
			Sampling: req.GetSampling(),
			Thinking: req.GetThinking(),
			Model:    req.GetModel(),
			Routing:  req.GetRouting(),
		}),
	}, sink)
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
	resp, served, err := ask(ctx, s.router, router.Request{
		Task: config.TaskGrammar, Model: req.GetModel(), Routing: req.GetRouting(),
		First: &enginev1.RunRequest{Payload: &enginev1.RunRequest_Grammar{Grammar: req}},
	}, (*enginev1.RunResponse).GetGrammar)
	if err != nil {
		return nil, err
	}
	resp.ServedBy = served
	return resp, nil
}

// Respond implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) Respond(ctx context.Context, req *gatewayv1.RespondRequest) (*gatewayv1.RespondResponse, error) {
	resp, served, err := ask(ctx, s.router, router.Request{
		Task: config.TaskRespond, Model: req.GetModel(), Routing: req.GetRouting(),
		First: &enginev1.RunRequest{Payload: &enginev1.RunRequest_Respond{Respond: req}},
	}, (*enginev1.RunResponse).GetRespond)
	if err != nil {
		return nil, err
	}
	resp.ServedBy = served
	return resp, nil
}

// ExplainVietnamese implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) ExplainVietnamese(ctx context.Context, req *gatewayv1.ExplainVietnameseRequest) (*gatewayv1.ExplainVietnameseResponse, error) {
	resp, served, err := ask(ctx, s.router, router.Request{
		Task: config.TaskExplain, Model: req.GetModel(), Routing: req.GetRouting(),
		First: &enginev1.RunRequest{Payload: &enginev1.RunRequest_ExplainVietnamese{ExplainVietnamese: req}},
	}, (*enginev1.RunResponse).GetExplainVietnamese)
	if err != nil {
		return nil, err
	}
	resp.ServedBy = served
	return resp, nil
}

// ask runs a task that has one answer. get takes the answer out of a message;
// nil if it is another task's.
func ask[T any](ctx context.Context, r Router, req router.Request, get func(*enginev1.RunResponse) *T) (*T, *gatewayv1.ServedBy, error) {
	sink := &single[*T]{pick: func(m *enginev1.RunResponse) (*T, bool) {
		answer := get(m)
		return answer, answer != nil
	}}
	served, err := r.Run(ctx, req, sink)
	if err != nil {
		return nil, nil, err
	}
	answer, err := sink.result()
	return answer, served, err
}
