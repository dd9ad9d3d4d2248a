// Package calls makes every kind of request to a gateway, over every surface, and says how each
// ended. Tests and measurements use it.
package calls

import (
	"context"
	"encoding/base64"
	"net/http"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Call is a kind of request: an RPC over one of the surfaces.
type Call struct {
	Name string
	Do   func(context.Context, *Link, Ask) End
	// Inference: the gateway counts it.
	Inference bool
	// Written: it is about text, which every language model can do.
	Written bool
	// Session: it opens a session, which its stream may leave.
	Session bool
}

// Hello is what clients say.
const Hello = "Hello there."

func chatMessages(a Ask) []*gatewayv1.ChatMessage {
	return []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: a.Text}}
}

func sampling(a Ask) *gatewayv1.SamplingOptions {
	if a.Tokens == 0 {
		return nil
	}
	again := float32(-2)
	return &gatewayv1.SamplingOptions{MaxTokens: &a.Tokens, Temperature: new(float32), PresencePenalty: &again, FrequencyPenalty: &again}
}

// Struct returns fields as a message.
func Struct(fields map[string]any) *structpb.Struct {
	s, err := structpb.NewStruct(fields)
	if err != nil {
		panic(err) // of constants
	}
	return s
}

// StreamChats returns the calls of StreamChat, over every surface.
func StreamChats() []Call {
	var all []Call
	for _, p := range protocols {
		all = append(all, Call{Name: p.Name + " StreamChat", Do: serverStream[gatewayv1.StreamChatRequest, gatewayv1.StreamChatResponse](p, gatewayv1.ModelGatewayService_StreamChat_FullMethodName, func(a Ask) *gatewayv1.StreamChatRequest {
			return &gatewayv1.StreamChatRequest{Messages: chatMessages(a), Model: a.Model, Sampling: sampling(a)}
		}, nil), Inference: true, Written: true})
	}
	const body = `{"messages":[{"role":"ROLE_USER","content":"TEXT"}],"model":"MODEL","sampling":SAMPLING}`
	return append(all,
		Call{Name: "REST chat:stream", Do: restCall("/v1/chat:stream", body, "", ""), Inference: true, Written: true},
		Call{Name: "REST chat:stream as events", Do: restCall("/v1/chat:stream", body, "", "text/event-stream"), Inference: true, Written: true})
}

// Inferences returns all calls that need a model.
func Inferences() []Call {
	all := StreamChats()
	add := func(name string, do func(context.Context, *Link, Ask) End) {
		all = append(all, Call{Name: name, Do: do, Inference: true})
	}
	addWritten := func(name string, do func(context.Context, *Link, Ask) End) {
		all = append(all, Call{Name: name, Do: do, Inference: true, Written: true})
	}
	for _, p := range protocols {
		addWritten(p.Name+" Chat", unary[gatewayv1.ChatRequest, gatewayv1.ChatResponse](p, gatewayv1.ModelGatewayService_Chat_FullMethodName, func(a Ask) *gatewayv1.ChatRequest {
			return &gatewayv1.ChatRequest{Messages: chatMessages(a), Model: a.Model}
		}))
		addWritten(p.Name+" Grammar", unary[gatewayv1.GrammarRequest, gatewayv1.GrammarResponse](p, gatewayv1.ModelGatewayService_Grammar_FullMethodName, func(a Ask) *gatewayv1.GrammarRequest {
			return &gatewayv1.GrammarRequest{Text: Hello, Model: a.Model}
		}))
		addWritten(p.Name+" Respond", unary[gatewayv1.RespondRequest, gatewayv1.RespondResponse](p, gatewayv1.ModelGatewayService_Respond_FullMethodName, func(a Ask) *gatewayv1.RespondRequest {
			return &gatewayv1.RespondRequest{Text: Hello, Model: a.Model}
		}))
		addWritten(p.Name+" ExplainVietnamese", unary[gatewayv1.ExplainVietnameseRequest, gatewayv1.ExplainVietnameseResponse](p, gatewayv1.ModelGatewayService_ExplainVietnamese_FullMethodName, func(a Ask) *gatewayv1.ExplainVietnameseRequest {
			return &gatewayv1.ExplainVietnameseRequest{Text: Hello, Model: a.Model}
		}))
		add(p.Name+" Recognize", unary[gatewayv1.RecognizeRequest, gatewayv1.RecognizeResponse](p, gatewayv1.ModelGatewayService_Recognize_FullMethodName, func(a Ask) *gatewayv1.RecognizeRequest {
			return &gatewayv1.RecognizeRequest{Config: transcription(a), Audio: recording}
		}))
		add(p.Name+" Pronunciation", unary[gatewayv1.PronunciationRequest, gatewayv1.PronunciationResponse](p, gatewayv1.ModelGatewayService_Pronunciation_FullMethodName, func(a Ask) *gatewayv1.PronunciationRequest {
			return &gatewayv1.PronunciationRequest{Audio: recording, ReferenceText: Hello, Model: a.Model, Format: transcription(a).GetFormat()}
		}))
		add(p.Name+" Invoke", unary[gatewayv1.InvokeRequest, gatewayv1.InvokeResponse](p, gatewayv1.ModelGatewayService_Invoke_FullMethodName, func(a Ask) *gatewayv1.InvokeRequest {
			return &gatewayv1.InvokeRequest{ModelName: a.Model, Method: "echo", Params: Struct(map[string]any{"a": 1})}
		}))
		addWritten(p.Name+" ExecuteTask", unary[gatewayv1.ExecuteTaskRequest, gatewayv1.ExecuteTaskResponse](p, gatewayv1.ModelGatewayService_ExecuteTask_FullMethodName, func(a Ask) *gatewayv1.ExecuteTaskRequest {
			return &gatewayv1.ExecuteTaskRequest{TaskType: "chat", Params: Struct(map[string]any{"text": a.Text, "model": a.Model})}
		}))
		add(p.Name+" Synthesize", serverStream[gatewayv1.SynthesizeRequest, gatewayv1.SynthesizeResponse](p, gatewayv1.ModelGatewayService_Synthesize_FullMethodName, func(a Ask) *gatewayv1.SynthesizeRequest {
			return &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: Hello}, Model: a.Model}
		}, nil))
		all = append(all, Call{
			Name: p.Name + " OpenTranscription", Inference: true, Session: true,
			Do: func(ctx context.Context, l *Link, a Ask) End { return session(p)(ctx, l, a) },
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
	addWritten("OpenAI response", restCall("/openai/v1/responses", `{"input":"TEXT","model":"MODEL"}`, "", ""))
	add("OpenAI realtime", socketCall("/openai/v1/realtime?intent=transcription", speakAndCommit))
	add("OpenAI speech", restCall("/openai/v1/audio/speech", `{"input":"Hello there.","model":"MODEL","voice":"alloy","response_format":"wav"}`, "", ""))
	add("WebSocket transcribe", socketCall("/v1/transcribe/ws", speakIntoSocket))
	add("WebSocket synthesize", socketCall("/v1/synthesize/ws", askSocketToSpeak))
	return all
}

// Questions returns the calls that need no model.
func Questions() []Call {
	var all []Call
	add := func(name string, do func(context.Context, *Link, Ask) End) {
		all = append(all, Call{Name: name, Do: do})
	}
	for _, p := range protocols {
		add(p.Name+" Status", unary[gatewayv1.StatusRequest, gatewayv1.StatusResponse](p, gatewayv1.ModelGatewayService_Status_FullMethodName, func(Ask) *gatewayv1.StatusRequest { return &gatewayv1.StatusRequest{} }))
		add(p.Name+" ListModels", unary[gatewayv1.ListModelsRequest, gatewayv1.ListModelsResponse](p, gatewayv1.ModelAdminService_ListModels_FullMethodName, func(Ask) *gatewayv1.ListModelsRequest { return &gatewayv1.ListModelsRequest{} }))
		add(p.Name+" GetModel", unary[gatewayv1.GetModelRequest, gatewayv1.GetModelResponse](p, gatewayv1.ModelAdminService_GetModel_FullMethodName, func(a Ask) *gatewayv1.GetModelRequest { return &gatewayv1.GetModelRequest{Name: a.Model} }))
		add(p.Name+" PlanLoad", unary[gatewayv1.PlanLoadRequest, gatewayv1.PlanLoadResponse](p, gatewayv1.ModelAdminService_PlanLoad_FullMethodName, func(a Ask) *gatewayv1.PlanLoadRequest { return &gatewayv1.PlanLoadRequest{Name: a.Model} }))
		add(p.Name+" LoadModel", serverStream[gatewayv1.LoadModelRequest, gatewayv1.LoadModelResponse](p, gatewayv1.ModelAdminService_LoadModel_FullMethodName, func(a Ask) *gatewayv1.LoadModelRequest { return &gatewayv1.LoadModelRequest{Name: a.Model} }, nil))
		add(p.Name+" WatchModels", serverStream(p, gatewayv1.ModelAdminService_WatchModels_FullMethodName, func(Ask) *gatewayv1.WatchModelsRequest { return &gatewayv1.WatchModelsRequest{} },
			func(context.Context, *Link, http.Header, *gatewayv1.WatchModelsResponse) bool { return false }))
		add(p.Name+" ListVoices", unary[gatewayv1.ListVoicesRequest, gatewayv1.ListVoicesResponse](p, gatewayv1.ModelGatewayService_ListVoices_FullMethodName, func(Ask) *gatewayv1.ListVoicesRequest { return &gatewayv1.ListVoicesRequest{} }))
		add(p.Name+" CreateAccessToken", unary[gatewayv1.CreateAccessTokenRequest, gatewayv1.CreateAccessTokenResponse](p, gatewayv1.ModelGatewayService_CreateAccessToken_FullMethodName, func(Ask) *gatewayv1.CreateAccessTokenRequest {
			return &gatewayv1.CreateAccessTokenRequest{}
		}))
	}
	add("REST voices", restCall("/v1/audio/voices", "", "", ""))
	add("REST status", restCall("/v1/status", "", "", ""))
	add("REST models", restCall("/v1/models", "", "", ""))
	add("REST model", restCall("/v1/models/MODEL", "", "", ""))
	add("REST plan", restCall("/v1/models/MODEL:plan", "", "", ""))
	add("REST health", restCall("/health", "", "", ""))
	return all
}

// Patience is how much longer than its deadline a client waits for the end of a call.
// It only ends a call that hangs.
const Patience = 60 * time.Second
