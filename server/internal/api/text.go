package api

import (
	"context"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

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
