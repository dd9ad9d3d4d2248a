package auth

import (
	channelzpb "google.golang.org/grpc/channelz/grpc_channelz_v1"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionalphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// rule says who may call an RPC: everyone, or callers with one of the roles.
type rule struct {
	open  bool
	roles []Role
}

var (
	open     = rule{open: true}
	infer    = rule{roles: []Role{Infer}}
	user     = rule{roles: []Role{Infer, Observe, Admin}}
	observer = rule{roles: []Role{Observe, Admin}}
	admin    = rule{roles: []Role{Admin}}
)

// rules has the rule of every RPC, by full name. An RPC without a rule is refused.
var rules = map[string]rule{
	gatewayv1.ModelGatewayService_Chat_FullMethodName:              infer,
	gatewayv1.ModelGatewayService_StreamChat_FullMethodName:        infer,
	gatewayv1.ModelGatewayService_Grammar_FullMethodName:           infer,
	gatewayv1.ModelGatewayService_Respond_FullMethodName:           infer,
	gatewayv1.ModelGatewayService_ExplainVietnamese_FullMethodName: infer,
	gatewayv1.ModelGatewayService_Transcribe_FullMethodName:        infer,
	gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName:  infer,
	gatewayv1.ModelGatewayService_OpenTranscription_FullMethodName: infer,
	gatewayv1.ModelGatewayService_PushAudio_FullMethodName:         infer,
	gatewayv1.ModelGatewayService_Recognize_FullMethodName:         infer,
	gatewayv1.ModelGatewayService_Synthesize_FullMethodName:        infer,
	gatewayv1.ModelGatewayService_Pronunciation_FullMethodName:     infer,
	gatewayv1.ModelGatewayService_ExecuteTask_FullMethodName:       infer,
	gatewayv1.ModelGatewayService_Invoke_FullMethodName:            infer,
	gatewayv1.ModelGatewayService_CreateAccessToken_FullMethodName: infer,
	gatewayv1.ModelGatewayService_ListVoices_FullMethodName:        user,
	gatewayv1.ModelGatewayService_Status_FullMethodName:            observer,

	gatewayv1.ModelAdminService_ListModels_FullMethodName:  observer,
	gatewayv1.ModelAdminService_GetModel_FullMethodName:    observer,
	gatewayv1.ModelAdminService_PlanLoad_FullMethodName:    observer,
	gatewayv1.ModelAdminService_WatchModels_FullMethodName: observer,
	gatewayv1.ModelAdminService_LoadModel_FullMethodName:   admin,
	gatewayv1.ModelAdminService_UnloadModel_FullMethodName: admin,

	// Health checkers have no key, and learn only whether the server serves.
	healthpb.Health_Check_FullMethodName: open,
	healthpb.Health_List_FullMethodName:  open,
	healthpb.Health_Watch_FullMethodName: open,

	reflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName:      admin,
	reflectionalphapb.ServerReflection_ServerReflectionInfo_FullMethodName: admin,
	channelzpb.Channelz_GetTopChannels_FullMethodName:                      admin,
	channelzpb.Channelz_GetServers_FullMethodName:                          admin,
	channelzpb.Channelz_GetServer_FullMethodName:                           admin,
	channelzpb.Channelz_GetServerSockets_FullMethodName:                    admin,
	channelzpb.Channelz_GetChannel_FullMethodName:                          admin,
	channelzpb.Channelz_GetSubchannel_FullMethodName:                       admin,
	channelzpb.Channelz_GetSocket_FullMethodName:                           admin,
}
