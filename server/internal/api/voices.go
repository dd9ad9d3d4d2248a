package api

import (
	"context"

	"github.com/lexilingo/modelgateway/engines"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// VoiceSource is a model that speaks.
type VoiceSource struct {
	// Model is its name.
	Model string
	// Cloud reports whether its requests leave the machine.
	Cloud bool
	// Voices reads its voices. ListVoices sets their model and id.
	Voices func() ([]*gatewayv1.Voice, error)
}

// ListVoices implements gatewayv1.ModelGatewayServiceServer.
func (s *Inference) ListVoices(ctx context.Context, _ *gatewayv1.ListVoicesRequest) (*gatewayv1.ListVoicesResponse, error) {
	caller, resp := auth.CallerOf(ctx), &gatewayv1.ListVoicesResponse{}
	for _, source := range s.voiceSources {
		if caller.CheckSees(source.Model, []string{engines.TaskName(enginev1.Task_TASK_SYNTHESIZE)}) != nil || source.Cloud && !caller.MayUseCloud() {
			continue
		}
		voices, err := source.Voices()
		if err != nil {
			continue // a request for the model says what is wrong with its files
		}
		for _, v := range voices {
			v.Model, v.Id = source.Model, source.Model
			if v.GetSpeaker() != "" {
				v.Id += "/" + v.GetSpeaker()
			}
			if v.GetName() == "" {
				v.Name = v.GetId()
			}
		}
		resp.Voices = append(resp.Voices, voices...)
	}
	return resp, nil
}
