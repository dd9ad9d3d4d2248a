package api

import (
	"bytes"
	"context"
	"encoding/base64"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// The answers of loose calls are plain values by the names of the typed
// answers' fields, and beside them the names that the original's handlers used.

func (s *Inference) looseChat(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.ChatRequest{}
	if err := s.typed(&call, req, chatMessages); err != nil {
		return nil, nil, err
	}
	sink := &collected{}
	served, err := s.router.Run(ctx, call.request(chatRun(req)), sink)
	if err != nil {
		return nil, nil, err
	}
	return answer(sink.response(served), served, func(data map[string]any) {
		data["text"], data["response"] = string(sink.text), string(sink.text)
	})
}

func (s *Inference) looseGrammar(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.GrammarRequest{}
	if err := s.typed(&call, req, arrangeGrammar); err != nil {
		return nil, nil, err
	}
	resp, served, err := ask(ctx, s.router, call.request(&enginev1.RunRequest{
		Payload: &enginev1.RunRequest_Grammar{Grammar: req},
	}), (*enginev1.RunResponse).GetGrammar)
	if err != nil {
		return nil, nil, err
	}
	return answer(resp, served, func(data map[string]any) {
		found := make([]any, 0, len(resp.GetEdits()))
		for _, e := range resp.GetEdits() {
			found = append(found, map[string]any{
				"span": e.GetOriginal(), "correction": e.GetReplacement(), "explanation": e.GetExplanation(),
				"type": originalErrorType(e.GetErrorType()),
			})
		}
		data["text"], data["errors"] = resp.GetCorrectedText(), found
		data["grammar_score"] = outOfOne(resp.GetScore())
	})
}

// originalErrorType is the class that the original's prompt had for a mistake.
func originalErrorType(t gatewayv1.GrammarErrorType) string {
	switch t {
	case gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_SPELLING:
		return "spelling"
	case gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_PUNCTUATION:
		return "punctuation"
	case gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_WORD_CHOICE:
		return "word_choice"
	default:
		return "grammar"
	}
}

// outOfOne turns a score of 0 to 100 into the original's 0 to 1.
func outOfOne(score float32) any { return plainFloat(float64(score)/100, true) }

func (s *Inference) looseRespond(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.RespondRequest{}
	if err := s.typed(&call, req, arrangeRespond); err != nil {
		return nil, nil, err
	}
	resp, served, err := ask(ctx, s.router, call.request(&enginev1.RunRequest{
		Payload: &enginev1.RunRequest_Respond{Respond: req},
	}), (*enginev1.RunResponse).GetRespond)
	if err != nil {
		return nil, nil, err
	}
	return answer(resp, served, func(data map[string]any) { data["response"] = resp.GetText() })
}

func (s *Inference) looseExplain(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.ExplainVietnameseRequest{}
	if err := s.typed(&call, req, arrangeExplain); err != nil {
		return nil, nil, err
	}
	resp, served, err := ask(ctx, s.router, call.request(&enginev1.RunRequest{
		Payload: &enginev1.RunRequest_ExplainVietnamese{ExplainVietnamese: req},
	}), (*enginev1.RunResponse).GetExplainVietnamese)
	if err != nil {
		return nil, nil, err
	}
	return answer(resp, served, func(data map[string]any) { data["text"] = resp.GetExplanation() })
}

func (s *Inference) loosePronunciation(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.PronunciationRequest{}
	if err := s.typed(&call, req, liftFormat); err != nil {
		return nil, nil, err
	}
	resp, served, err := ask(ctx, s.router, call.request(&enginev1.RunRequest{
		Payload: &enginev1.RunRequest_Pronunciation{Pronunciation: req},
	}), (*enginev1.RunResponse).GetPronunciation)
	if err != nil {
		return nil, nil, err
	}
	return answer(resp, served, func(data map[string]any) {
		words := make([]any, 0, len(resp.GetWords()))
		for _, w := range resp.GetWords() {
			units := make([]any, 0, len(w.GetUnits()))
			for _, u := range w.GetUnits() {
				units = append(units, u.GetSymbol())
			}
			words = append(words, map[string]any{"word": w.GetText(), "score": outOfOne(w.GetScore()), "phonemes": units})
		}
		data["pronunciation_score"], data["word_scores"] = outOfOne(resp.GetOverallScore()), words
	})
}

func (s *Inference) looseTranscribe(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.RecognizeRequest{}
	if err := s.typed(&call, req, arrangeTranscribe); err != nil {
		return nil, nil, err
	}
	run := transcription(req.GetConfig(), &clip{data: req.GetAudio()})
	if req.GetConfig() == nil {
		run = transcription(&gatewayv1.TranscriptionConfig{}, &clip{data: req.GetAudio()})
	}
	run.Task, run.Model, run.Routing = call.task, call.model, call.routing
	transcript, served, err := s.finalOf(ctx, run)
	if err != nil {
		return nil, nil, err
	}
	return answer(transcript, served, func(data map[string]any) {
		data["duration"] = transcript.GetAudioDuration().AsDuration().Seconds()
		if n := len(transcript.GetSegments()); n > 0 {
			var sum float32
			for _, segment := range transcript.GetSegments() {
				sum += segment.GetConfidence()
			}
			data["confidence"] = plainFloat(float64(sum/float32(n)), true)
		}
	})
}

// looseSynthesize answers with all of the speech at once: a WAV file, or signed
// 16-bit little-endian samples.
func (s *Inference) looseSynthesize(ctx context.Context, call looseCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.SynthesizeRequest{}
	var format string
	var wrong error
	err := s.typed(&call, req, func(params map[string]any) {
		format, wrong = speechFormat(params)
		arrangeSynthesize(params)
	})
	if wrong != nil {
		return nil, nil, wrong
	}
	if err != nil {
		return nil, nil, err
	}
	sink := &wholeSpeech{}
	first := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Synthesize{Synthesize: req}}
	served, err := s.router.Run(ctx, call.request(first), sink)
	if err != nil {
		return nil, nil, err
	}
	if sink.rate <= 0 {
		return nil, nil, errs.New(errs.Internal, "the engine told no sample rate")
	}
	sound := sink.samples
	if format == "wav" {
		var file bytes.Buffer
		if err := audio.EncodeWAV(&file, sink.samples, int(sink.rate)); err != nil {
			return nil, nil, err
		}
		sound = file.Bytes()
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		"audio":       structpb.NewStringValue(base64.StdEncoding.EncodeToString(sound)),
		"format":      structpb.NewStringValue(format),
		"sample_rate": structpb.NewNumberValue(float64(sink.rate)),
		"duration":    structpb.NewNumberValue(seconds(len(sink.samples)/2, int(sink.rate))),
	}}, served, nil
}

// answer makes a typed answer loose; add writes further names into it.
func answer(resp proto.Message, served *gatewayv1.ServedBy, add func(data map[string]any)) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	data := plainMessage(resp)
	add(data)
	out, err := structpb.NewStruct(data)
	return out, served, err
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
