package api

import (
	"context"
	"encoding/base64"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

func (s *Gateway) looseChat(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.ChatRequest{}
	if err := s.typed(call, req, chatMessages); err != nil {
		return nil, nil, err
	}
	sink := &collected{}
	served, err := s.router.Run(ctx, call.request(chatRun(req)), sink)
	if err != nil {
		return nil, nil, err
	}
	data, err := loose(sink.response(served))
	if err != nil {
		return nil, nil, err
	}
	data.Fields["text"] = structpb.NewStringValue(string(sink.text))
	return data, served, nil
}

func (s *Gateway) looseGrammar(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.GrammarRequest{}
	if err := s.typed(call, req, liftSampling); err != nil {
		return nil, nil, err
	}
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Grammar{Grammar: req}}
	return askLoose(ctx, s, call, first, (*enginev1.RunResponse).GetGrammar)
}

func (s *Gateway) looseRespond(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.RespondRequest{}
	err := s.typed(call, req, func(params map[string]any) {
		liftSampling(params)
		if history, ok := params["history"].([]any); ok {
			for i, turn := range history {
				history[i] = namedRole(turn)
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Respond{Respond: req}}
	return askLoose(ctx, s, call, first, (*enginev1.RunResponse).GetRespond)
}

func (s *Gateway) looseExplain(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.ExplainVietnameseRequest{}
	if err := s.typed(call, req, liftSampling); err != nil {
		return nil, nil, err
	}
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_ExplainVietnamese{ExplainVietnamese: req}}
	return askLoose(ctx, s, call, first, (*enginev1.RunResponse).GetExplainVietnamese)
}

func (s *Gateway) loosePronunciation(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.PronunciationRequest{}
	if err := s.typed(call, req, nil); err != nil {
		return nil, nil, err
	}
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Pronunciation{Pronunciation: req}}
	return askLoose(ctx, s, call, first, (*enginev1.RunResponse).GetPronunciation)
}

func (s *Gateway) looseTranscribe(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.RecognizeRequest{}
	err := s.typed(call, req, func(params map[string]any) {
		if _, ok := params["config"]; ok {
			return
		}
		config := map[string]any{}
		for k, v := range params {
			if k != "audio" {
				config[k] = v
				delete(params, k)
			}
		}
		params["config"] = config
	})
	if err != nil {
		return nil, nil, err
	}
	run := transcription(req.GetConfig(), &clip{data: req.GetAudio()})
	run.Task, run.Model, run.Routing = call.task, call.model, call.routing
	transcript, served, err := s.finalOf(ctx, run)
	if err != nil {
		return nil, nil, err
	}
	data, err := loose(transcript)
	return data, served, err
}

// looseSynthesize answers with all samples at once, as base64 of signed 16-bit
// little-endian PCM.
func (s *Gateway) looseSynthesize(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.SynthesizeRequest{}
	if err := s.typed(call, req, nil); err != nil {
		return nil, nil, err
	}
	sink := &wholeSpeech{}
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Synthesize{Synthesize: req}}
	served, err := s.router.Run(ctx, call.request(first), sink)
	if err != nil {
		return nil, nil, err
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		"audio":             structpb.NewStringValue(base64.StdEncoding.EncodeToString(sink.samples)),
		"encoding":          structpb.NewStringValue("pcm_s16le"),
		"sample_rate_hertz": structpb.NewNumberValue(float64(sink.rate)),
	}}, served, nil
}

// askLoose asks for one typed answer and makes it loose.
func askLoose[T any, P interface {
	*T
	proto.Message
}](ctx context.Context, s *Gateway, call looseCall, first *enginev1.RunRequest, get func(*enginev1.RunResponse) P) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	answer, served, err := ask(ctx, s.router, call.request(first), func(r *enginev1.RunResponse) *T { return get(r) })
	if err != nil {
		return nil, nil, err
	}
	data, err := loose(P(answer))
	return data, served, err
}

// wholeSpeech is the sink of speech that is answered at once.
type wholeSpeech struct {
	samples []byte
	rate    int32
}

func (w *wholeSpeech) Begin() { *w = wholeSpeech{} }

func (w *wholeSpeech) Emit(resp *enginev1.RunResponse) error {
	piece := resp.GetSynthesize()
	if piece == nil {
		return wrongAnswer()
	}
	if len(w.samples)+len(piece.GetAudio()) > maxSpeech {
		return tooMuch(maxSpeech)
	}
	w.samples = append(w.samples, piece.GetAudio()...)
	if w.rate == 0 {
		w.rate = piece.GetSampleRateHertz()
	}
	return nil
}

func (w *wholeSpeech) Committed() bool { return false }
