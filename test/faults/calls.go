package main

import (
	"context"
	"encoding/base64"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// call is a kind of request: an RPC over one of the surfaces.
type call struct {
	name string
	do   func(context.Context, *link, ask) end
	// inference: the gateway counts it.
	inference bool
	// written: it is about text, which every language model can do.
	written bool
	// session: it opens a session, which its stream may leave.
	session bool
}

// hello is what clients say.
const hello = "Hello there."

func chatMessages(a ask) []*gatewayv1.ChatMessage {
	return []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: a.text}}
}

func sampling(a ask) *gatewayv1.SamplingOptions {
	if a.tokens == 0 {
		return nil
	}
	again := float32(-2)
	return &gatewayv1.SamplingOptions{MaxTokens: &a.tokens, Temperature: new(float32), PresencePenalty: &again, FrequencyPenalty: &again}
}

func structOf(fields map[string]any) *structpb.Struct {
	s, err := structpb.NewStruct(fields)
	if err != nil {
		panic(err) // of constants
	}
	return s
}

// streamChats returns the calls of StreamChat, over every surface.
func streamChats() []call {
	var all []call
	for _, p := range protocols {
		all = append(all, call{name: p.name + " StreamChat", do: serverStream[gatewayv1.StreamChatRequest, gatewayv1.StreamChatResponse](p, gatewayv1.ModelGatewayService_StreamChat_FullMethodName, func(a ask) *gatewayv1.StreamChatRequest {
			return &gatewayv1.StreamChatRequest{Messages: chatMessages(a), Model: a.model, Sampling: sampling(a)}
		}, nil), inference: true, written: true})
	}
	const body = `{"messages":[{"role":"ROLE_USER","content":"TEXT"}],"model":"MODEL","sampling":SAMPLING}`
	return append(all,
		call{name: "REST chat:stream", do: restCall("/v1/chat:stream", body, "", ""), inference: true, written: true},
		call{name: "REST chat:stream as events", do: restCall("/v1/chat:stream", body, "", "text/event-stream"), inference: true, written: true})
}

// inferences returns all calls that need a model.
func inferences() []call {
	all := streamChats()
	add := func(name string, do func(context.Context, *link, ask) end) {
		all = append(all, call{name: name, do: do, inference: true})
	}
	addWritten := func(name string, do func(context.Context, *link, ask) end) {
		all = append(all, call{name: name, do: do, inference: true, written: true})
	}
	for _, p := range protocols {
		addWritten(p.name+" Chat", unary[gatewayv1.ChatRequest, gatewayv1.ChatResponse](p, gatewayv1.ModelGatewayService_Chat_FullMethodName, func(a ask) *gatewayv1.ChatRequest {
			return &gatewayv1.ChatRequest{Messages: chatMessages(a), Model: a.model}
		}))
		addWritten(p.name+" Grammar", unary[gatewayv1.GrammarRequest, gatewayv1.GrammarResponse](p, gatewayv1.ModelGatewayService_Grammar_FullMethodName, func(a ask) *gatewayv1.GrammarRequest {
			return &gatewayv1.GrammarRequest{Text: hello, Model: a.model}
		}))
		addWritten(p.name+" Respond", unary[gatewayv1.RespondRequest, gatewayv1.RespondResponse](p, gatewayv1.ModelGatewayService_Respond_FullMethodName, func(a ask) *gatewayv1.RespondRequest {
			return &gatewayv1.RespondRequest{Text: hello, Model: a.model}
		}))
		addWritten(p.name+" ExplainVietnamese", unary[gatewayv1.ExplainVietnameseRequest, gatewayv1.ExplainVietnameseResponse](p, gatewayv1.ModelGatewayService_ExplainVietnamese_FullMethodName, func(a ask) *gatewayv1.ExplainVietnameseRequest {
			return &gatewayv1.ExplainVietnameseRequest{Text: hello, Model: a.model}
		}))
		add(p.name+" Recognize", unary[gatewayv1.RecognizeRequest, gatewayv1.RecognizeResponse](p, gatewayv1.ModelGatewayService_Recognize_FullMethodName, func(a ask) *gatewayv1.RecognizeRequest {
			return &gatewayv1.RecognizeRequest{Config: transcription(a), Audio: recording}
		}))
		add(p.name+" Pronunciation", unary[gatewayv1.PronunciationRequest, gatewayv1.PronunciationResponse](p, gatewayv1.ModelGatewayService_Pronunciation_FullMethodName, func(a ask) *gatewayv1.PronunciationRequest {
			return &gatewayv1.PronunciationRequest{Audio: recording, ReferenceText: hello, Model: a.model, Format: transcription(a).GetFormat()}
		}))
		add(p.name+" Invoke", unary[gatewayv1.InvokeRequest, gatewayv1.InvokeResponse](p, gatewayv1.ModelGatewayService_Invoke_FullMethodName, func(a ask) *gatewayv1.InvokeRequest {
			return &gatewayv1.InvokeRequest{ModelName: a.model, Method: "echo", Params: structOf(map[string]any{"a": 1})}
		}))
		addWritten(p.name+" ExecuteTask", unary[gatewayv1.ExecuteTaskRequest, gatewayv1.ExecuteTaskResponse](p, gatewayv1.ModelGatewayService_ExecuteTask_FullMethodName, func(a ask) *gatewayv1.ExecuteTaskRequest {
			return &gatewayv1.ExecuteTaskRequest{TaskType: "chat", Params: structOf(map[string]any{"text": a.text, "model": a.model})}
		}))
		add(p.name+" Synthesize", serverStream[gatewayv1.SynthesizeRequest, gatewayv1.SynthesizeResponse](p, gatewayv1.ModelGatewayService_Synthesize_FullMethodName, func(a ask) *gatewayv1.SynthesizeRequest {
			return &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: hello}, Model: a.model}
		}, nil))
		all = append(all, call{
			name: p.name + " OpenTranscription", inference: true, session: true,
			do: func(ctx context.Context, l *link, a ask) end { return session(p)(ctx, l, a) },
		})
	}
	add("gRPC Transcribe", transcribe)
	add("gRPC StreamTranscribe", streamTranscribe)
	audio := base64.StdEncoding.EncodeToString(recording)
	const asText = `{"text":"Hello there.","model":"MODEL"}`
	addWritten("REST chat", restCall("/v1/chat", `{"messages":[{"role":"ROLE_USER","content":"TEXT"}],"model":"MODEL"}`, "", ""))
	addWritten("REST grammar", restCall("/v1/grammar", asText, "", ""))
	addWritten("REST respond", restCall("/v1/respond", asText, "", ""))
	addWritten("REST explain-vietnamese", restCall("/v1/explain-vietnamese", asText, "", ""))
	add("REST synthesize as WAV", restCall("/v1/synthesize", asText, "", ""))
	add("REST synthesize as lines", restCall("/v1/synthesize", asText, "", "application/x-ndjson"))
	add("REST transcribe", restCall("/v1/transcribe?model=MODEL", string(recording), "audio/pcm;rate=16000", ""))
	add("REST pronunciation", restCall("/v1/pronunciation", `{"audio":"`+audio+`","reference_text":"Hello","model":"MODEL","format":{"encoding":"AUDIO_ENCODING_PCM_S16LE","sample_rate_hertz":16000}}`, "", ""))
	addWritten("REST tasks", restCall("/v1/tasks/chat", `{"params":{"text":"TEXT","model":"MODEL"}}`, "", ""))
	add("REST invoke", restCall("/v1/models/MODEL:invoke", `{"method":"echo","params":{"a":1}}`, "", ""))
	addWritten("OpenAI chat", restCall("/openai/v1/chat/completions", `{"messages":[{"role":"user","content":"TEXT"}],"model":"MODEL"}`, "", ""))
	add("OpenAI speech", restCall("/openai/v1/audio/speech", `{"input":"Hello there.","model":"MODEL","voice":"alloy","response_format":"wav"}`, "", ""))
	add("WebSocket transcribe", socketCall("/v1/transcribe/ws", speakIntoSocket))
	add("WebSocket synthesize", socketCall("/v1/synthesize/ws", askSocketToSpeak))
	return all
}

// questions returns the calls that need no model.
func questions() []call {
	var all []call
	add := func(name string, do func(context.Context, *link, ask) end) {
		all = append(all, call{name: name, do: do})
	}
	for _, p := range protocols {
		add(p.name+" Status", unary[gatewayv1.StatusRequest, gatewayv1.StatusResponse](p, gatewayv1.ModelGatewayService_Status_FullMethodName, func(ask) *gatewayv1.StatusRequest { return &gatewayv1.StatusRequest{} }))
		add(p.name+" ListModels", unary[gatewayv1.ListModelsRequest, gatewayv1.ListModelsResponse](p, gatewayv1.ModelAdminService_ListModels_FullMethodName, func(ask) *gatewayv1.ListModelsRequest { return &gatewayv1.ListModelsRequest{} }))
		add(p.name+" GetModel", unary[gatewayv1.GetModelRequest, gatewayv1.GetModelResponse](p, gatewayv1.ModelAdminService_GetModel_FullMethodName, func(a ask) *gatewayv1.GetModelRequest { return &gatewayv1.GetModelRequest{Name: a.model} }))
		add(p.name+" PlanLoad", unary[gatewayv1.PlanLoadRequest, gatewayv1.PlanLoadResponse](p, gatewayv1.ModelAdminService_PlanLoad_FullMethodName, func(a ask) *gatewayv1.PlanLoadRequest { return &gatewayv1.PlanLoadRequest{Name: a.model} }))
		add(p.name+" LoadModel", serverStream[gatewayv1.LoadModelRequest, gatewayv1.LoadModelResponse](p, gatewayv1.ModelAdminService_LoadModel_FullMethodName, func(a ask) *gatewayv1.LoadModelRequest { return &gatewayv1.LoadModelRequest{Name: a.model} }, nil))
		add(p.name+" WatchModels", serverStream(p, gatewayv1.ModelAdminService_WatchModels_FullMethodName, func(ask) *gatewayv1.WatchModelsRequest { return &gatewayv1.WatchModelsRequest{} },
			func(context.Context, *link, *gatewayv1.WatchModelsResponse) bool { return false }))
		add(p.name+" CreateAccessToken", unary[gatewayv1.CreateAccessTokenRequest, gatewayv1.CreateAccessTokenResponse](p, gatewayv1.ModelGatewayService_CreateAccessToken_FullMethodName, func(ask) *gatewayv1.CreateAccessTokenRequest {
			return &gatewayv1.CreateAccessTokenRequest{}
		}))
	}
	add("REST status", restCall("/v1/status", "", "", ""))
	add("REST models", restCall("/v1/models", "", "", ""))
	add("REST model", restCall("/v1/models/MODEL", "", "", ""))
	add("REST plan", restCall("/v1/models/MODEL:plan", "", "", ""))
	add("REST health", restCall("/health", "", "", ""))
	return all
}

// patience is how much longer than its deadline a client waits for the end of a call.
// It only ends a call that hangs.
const patience = 60 * time.Second
