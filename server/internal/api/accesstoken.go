package api

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// CreateAccessToken implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) CreateAccessToken(ctx context.Context, req *gatewayv1.CreateAccessTokenRequest) (*gatewayv1.CreateAccessTokenResponse, error) {
	wanted := auth.Token{
		Subject: req.GetSubject(), Lifetime: req.GetLifetime().AsDuration(),
		Tasks: req.GetTasks(), Models: req.GetModels(), Cloud: req.GetCloud(),
	}
	if p := req.GetMaxPriority(); p != gatewayv1.Priority_PRIORITY_UNSPECIFIED {
		wanted.MaxPriority = config.Priority(strings.ToLower(strings.TrimPrefix(p.String(), "PRIORITY_")))
	}
	token, expires, err := auth.CreateToken(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.CreateAccessTokenResponse{Token: token, ExpireTime: timestamppb.New(expires)}, nil
}
