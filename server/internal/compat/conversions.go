package compat

import (
	"bytes"
	"context"
	"encoding/base64"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/audio"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// conversion runs an untyped call by the typed handler of its task.
type conversion func(ctx context.Context, s *Service, call untypedCall) (*structpb.Struct, *gatewayv1.ServedBy, error)

// conversions has the tasks that the Python gateway had. A task without a row is
// not offered to untyped calls.
var conversions = []struct {
	task enginev1.Task
	// method is the name that the Python gateway's models had for the task.
	method  string
	convert conversion
}{
	{enginev1.Task_TASK_CHAT, "chat", typed(Handlers.Chat, chatParams, chatData)},
	{enginev1.Task_TASK_GRAMMAR, "analyze_grammar", typed(Handlers.Grammar, grammarParams, grammarData)},
	{enginev1.Task_TASK_RESPOND, "generate_response", typed(Handlers.Respond, respondParams, respondData)},
	{enginev1.Task_TASK_EXPLAIN_VIETNAMESE, "explain_vietnamese", typed(Handlers.ExplainVietnamese, explainParams, explainData)},
	{enginev1.Task_TASK_TRANSCRIBE, "transcribe", typed(Handlers.Recognize, recognizeParams, recognizeData)},
	{enginev1.Task_TASK_SYNTHESIZE, "synthesize", synthesize},
	{enginev1.Task_TASK_PRONUNCIATION, "analyze_pronunciation", typed(Handlers.Pronunciation, formatParams, pronunciationData)},
}

// conversionOf returns a task's conversion, or nil.
func conversionOf(task engines.Task) conversion {
	for _, c := range conversions {
		if c.task == task.ID {
			return c.convert
		}
	}
	return nil
}

// taskOfMethod returns the task of a method of the Python gateway's models, or the
// zero Task.
func taskOfMethod(method string) engines.Task {
	for _, c := range conversions {
		if c.method == method {
			task, _ := engines.LookupTask(engines.TaskName(c.task))
			return task
		}
	}
	return engines.Task{}
}

// answer is the answer of a typed handler.
type answer interface {
	proto.Message
	GetServedBy() *gatewayv1.ServedBy
}

// typed returns the conversion of a task whose handler has one answer. params
// renames and moves parameters to the fields of the request; data returns the
// answer as values.
func typed[P interface {
	*Req
	proto.Message
}, Resp answer, Req any](
	handle func(Handlers, context.Context, P) (Resp, error),
	params func(map[string]any),
	data func(Resp) map[string]any,
) conversion {
	return func(ctx context.Context, s *Service, call untypedCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
		req := P(new(Req))
		if err := s.fill(req, call, params); err != nil {
			return nil, nil, err
		}
		resp, err := handle(s.Handlers, ctx, req)
		if err != nil {
			return nil, nil, err
		}
		out, err := structpb.NewStruct(data(resp))
		return out, resp.GetServedBy(), err
	}
}

// The data of an answer has the fields of the typed answer, and beside them the
// names that the Python gateway used.

func chatData(resp *gatewayv1.ChatResponse) map[string]any {
	data := messageValues(resp)
	text := resp.GetMessage().GetContent()
	data["text"], data["response"] = text, text
	return data
}

func grammarData(resp *gatewayv1.GrammarResponse) map[string]any {
	data := messageValues(resp)
	found := make([]any, 0, len(resp.GetEdits()))
	for _, e := range resp.GetEdits() {
		found = append(found, map[string]any{
			"span": e.GetOriginal(), "correction": e.GetReplacement(), "explanation": e.GetExplanation(),
			"type": pythonErrorType(e.GetErrorType()),
		})
	}
	data["text"], data["errors"] = resp.GetCorrectedText(), found
	data["grammar_score"] = zeroToOne(resp.GetScore())
	return data
}

// pythonErrorType returns the Python gateway's class of a mistake.
func pythonErrorType(t gatewayv1.GrammarErrorType) string {
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

// zeroToOne converts a score of 0 to 100 to the Python gateway's range, 0 to 1.
func zeroToOne(score float32) any { return floatValue(float64(score)/100, true) }

func respondData(resp *gatewayv1.RespondResponse) map[string]any {
	data := messageValues(resp)
	data["response"] = resp.GetText()
	return data
}

func explainData(resp *gatewayv1.ExplainVietnameseResponse) map[string]any {
	data := messageValues(resp)
	data["text"] = resp.GetExplanation()
	return data
}

func recognizeData(resp *gatewayv1.RecognizeResponse) map[string]any {
	transcript := resp.GetTranscript()
	data := messageValues(transcript)
	data["duration"] = transcript.GetAudioDuration().AsDuration().Seconds()
	if n := len(transcript.GetSegments()); n > 0 {
		var sum float32
		for _, segment := range transcript.GetSegments() {
			sum += segment.GetConfidence()
		}
		data["confidence"] = floatValue(float64(sum/float32(n)), true)
	}
	return data
}

func pronunciationData(resp *gatewayv1.PronunciationResponse) map[string]any {
	data := messageValues(resp)
	words := make([]any, 0, len(resp.GetWords()))
	for _, w := range resp.GetWords() {
		units := make([]any, 0, len(w.GetUnits()))
		for _, u := range w.GetUnits() {
			units = append(units, u.GetSymbol())
		}
		words = append(words, map[string]any{"word": w.GetText(), "score": zeroToOne(w.GetScore()), "phonemes": units})
	}
	data["pronunciation_score"], data["word_scores"] = zeroToOne(resp.GetOverallScore()), words
	return data
}

// synthesize is the conversion of speech. It differs from the others in that the
// answer has a format of its own: a WAV file, or signed 16-bit little-endian
// samples.
func synthesize(ctx context.Context, s *Service, call untypedCall) (*structpb.Struct, *gatewayv1.ServedBy, error) {
	req := &gatewayv1.SynthesizeRequest{}
	format, params, err := takeFormat(call.params)
	if err != nil {
		return nil, nil, err
	}
	call.params = params
	if err := s.fill(req, call, synthesizeParams); err != nil {
		return nil, nil, err
	}
	resp, err := s.SynthesizeWhole(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	samples, rate := resp.GetAudio(), int(resp.GetSampleRateHertz())
	sound := samples
	if format == formatWAV {
		var file bytes.Buffer
		if err := audio.EncodeWAV(&file, samples, rate); err != nil {
			return nil, nil, err
		}
		sound = file.Bytes()
	}
	length := time.Duration(len(samples)/2) * time.Second / time.Duration(rate)
	values := map[string]any{
		"audio":       base64.StdEncoding.EncodeToString(sound),
		"format":      format,
		"sample_rate": float64(rate),
		"duration":    length.Seconds(),
	}
	if words := resp.GetWords(); len(words) > 0 {
		values["words"] = messageValues(&gatewayv1.SynthesizeResponse{Words: words})["words"]
	}
	data, err := structpb.NewStruct(values)
	return data, resp.GetServedBy(), err
}
