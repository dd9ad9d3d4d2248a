package compat

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/api"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// scripted is a router that remembers what it is asked and answers from a script.
type scripted struct {
	asked   router.Request
	audio   []byte
	answers []*enginev1.RunResponse

	noPronunciation bool // no model is routed for it
}

func (s *scripted) Breaker(string) *gatewayv1.Breaker { return nil }

func (s *scripted) Run(ctx context.Context, req router.Request, sink router.Sink) (*gatewayv1.ServedBy, error) {
	s.asked = req
	if req.Audio != nil {
		s.audio, _ = req.Audio.Next(ctx)
	}
	sink.Begin()
	for _, a := range s.answers {
		if err := sink.Emit(a); err != nil {
			return nil, err
		}
	}
	return &gatewayv1.ServedBy{Model: "m"}, nil
}

// listed are models that only have a name and tasks.
type listed []*gatewayv1.Model

func (l listed) Models(context.Context) ([]*gatewayv1.Model, error) { return l, nil }
func (listed) Totals(context.Context) (lifecycle.Totals, error)     { return lifecycle.Totals{}, nil }

// service returns a Service above the real handlers and a scripted router.
func service(t *testing.T, s *scripted) *Service {
	t.Helper()
	validator, err := api.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	models := listed{{Name: "qwen", Tasks: []string{"chat", "grammar"}}, {Name: "whisper", Tasks: []string{"transcribe"}}}
	methods := map[string]string{"translate": "do_translate"}
	handlers := api.NewInference(api.InferenceOptions{Router: s, Models: models, TaskMethods: methods})
	t.Cleanup(handlers.Close)
	return New(Options{
		Handlers: handlers, Models: models, Validator: validator, TaskMethods: methods,
		HasTask: func(task string) bool { return task != "pronunciation" || !s.noPronunciation },
	})
}

func execute(t *testing.T, g *Service, task string, params map[string]any) (map[string]any, error) {
	t.Helper()
	s, err := structpb.NewStruct(params)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := g.ExecuteTask(t.Context(), &gatewayv1.ExecuteTaskRequest{TaskType: task, Params: s})
	return resp.GetData().AsMap(), err
}

func user(text string) *gatewayv1.ChatMessage {
	return &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_USER, Content: text}
}

func turn(role gatewayv1.Role, text string) *gatewayv1.ChatMessage {
	return &gatewayv1.ChatMessage{Role: role, Content: text}
}

// What callers of the Python gateway write, and the typed request that it means.
func TestParametersBecomeTypedRequests(t *testing.T) {
	sound := []byte("RIFF and so on, in two bytes")
	inBase64 := base64.StdEncoding.EncodeToString(sound)
	cases := map[string]struct {
		task   string
		params map[string]any
		want   proto.Message
		model  string
	}{
		"chat": {"chat", map[string]any{"text": "Hello", "system_prompt": "You are a tutor", "temperature": 0.5, "max_tokens": 64}, &gatewayv1.ChatRequest{
			Messages: []*gatewayv1.ChatMessage{turn(gatewayv1.Role_ROLE_SYSTEM, "You are a tutor"), user("Hello")},
			Sampling: &gatewayv1.SamplingOptions{Temperature: new(float32(0.5)), MaxTokens: new(int32(64))},
		}, ""},
		"chat with messages": {"chat", map[string]any{
			"messages":    []any{map[string]any{"role": "user", "content": "a"}, map[string]any{"role": "model", "content": "b"}, map[string]any{"role": "assistant", "content": "c"}},
			"temperature": nil, "system_prompt": nil, "task": "chat", "model": "other",
		}, &gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{
			user("a"), turn(gatewayv1.Role_ROLE_ASSISTANT, "b"), turn(gatewayv1.Role_ROLE_ASSISTANT, "c"),
		}, Model: "other"}, "other"},
		"chat with history": {"chat", map[string]any{"history": []any{map[string]any{"role": "ROLE_USER", "content": "a"}}, "text": "b"}, &gatewayv1.ChatRequest{
			Messages: []*gatewayv1.ChatMessage{user("a"), user("b")},
		}, ""},
		"chat with a schema and a tool": {"chat", map[string]any{
			"text":            "x",
			"response_format": map[string]any{"type": "json_schema", "json_schema": map[string]any{"type": "null"}},
			"tools":           []any{map[string]any{"name": "f", "parameters": map[string]any{"type": "object"}}},
			"tool_choice":     map[string]any{"mode": "required", "tool_name": "f"},
			"n":               2.0,
		}, &gatewayv1.ChatRequest{
			Messages:       []*gatewayv1.ChatMessage{user("x")},
			ResponseFormat: &gatewayv1.ResponseFormat{Type: gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA, JsonSchema: `{"type":"null"}`},
			Tools:          []*gatewayv1.Tool{{Name: "f", Parameters: `{"type":"object"}`}},
			ToolChoice:     &gatewayv1.ToolChoice{Mode: gatewayv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED, ToolName: "f"},
			N:              2,
		}, ""},
		"grammar": {"grammar", map[string]any{"text": "I goes to school yesterday"}, &gatewayv1.GrammarRequest{Text: "I goes to school yesterday"}, ""},
		"grammar in Vietnamese": {"grammar", map[string]any{"text": "x", "language": "vi"}, &gatewayv1.GrammarRequest{
			Text: "x", ExplanationLanguage: gatewayv1.ExplanationLanguage_EXPLANATION_LANGUAGE_VIETNAMESE,
		}, ""},
		"response": {"response", map[string]any{
			"text": "I goes", "level": "A2", "context": "school", "errors": []any{map[string]any{"span": "goes", "correction": "go", "type": "grammar"}},
		}, &gatewayv1.RespondRequest{
			Text: "I goes\n\nContext: school\n\nErrors found in the learner's text:\n- \"goes\" should be \"go\"", Level: "A2",
		}, ""},
		"explain": {"vietnamese", map[string]any{"text": "used to", "level": "B1"}, &gatewayv1.ExplainVietnameseRequest{
			Text: "used to", Question: "The learner's level is B1.",
		}, ""},
		"stt": {"stt", map[string]any{"audio": inBase64, "language": "en", "word_timestamps": true, "prompt": "Hi"}, &gatewayv1.TranscriptionConfig{
			Language: "en", WordTimestamps: true, InitialPrompt: "Hi",
		}, ""},
		"raw stt": {"transcribe", map[string]any{"audio": "data:audio/wav;base64," + inBase64, "encoding": "pcm_s16le", "sample_rate": 8000}, &gatewayv1.TranscriptionConfig{
			Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: 8000},
		}, ""},
		"bare stt": {"stt", map[string]any{"audio": strings.TrimRight(inBase64, "=")}, &gatewayv1.TranscriptionConfig{}, ""},
		"tts": {"tts", map[string]any{"text": "Hello", "voice": "p225", "speed": 1.5, "sentence_silence": 0.25}, &gatewayv1.SynthesizeRequest{
			Input:   &gatewayv1.SynthesizeRequest_Text{Text: "Hello"},
			Speaker: "p225", Speed: new(float32(1.5)), SentenceSilence: durationpb.New(250 * time.Millisecond),
		}, ""},
		"pronunciation": {"pronunciation", map[string]any{"audio": inBase64, "reference_text": "Hello world", "format": "wav"}, &gatewayv1.PronunciationRequest{
			Audio: sound, ReferenceText: "Hello world", Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_WAV},
		}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := &scripted{}
			g := service(t, s)
			_, err := execute(t, g, c.task, c.params)
			if errs.ReasonOf(err) == errs.InvalidRequest { // the script has no answers: other errors are as they should be
				t.Fatal(err)
			}
			first := s.asked.First.ProtoReflect()
			payload := first.WhichOneof(first.Descriptor().Oneofs().ByName("payload"))
			if got := first.Get(payload).Message().Interface(); !proto.Equal(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
			if s.asked.Task != engines.CanonicalTask(c.task) || s.asked.Model != c.model {
				t.Errorf("routed as %s to %q", s.asked.Task, s.asked.Model)
			}
			if s.asked.Audio != nil && string(s.audio) != string(sound) {
				t.Errorf("the audio is %q", s.audio)
			}
		})
	}
}

func TestParametersThatAreRefused(t *testing.T) {
	cases := map[string]struct {
		task   string
		params map[string]any
		want   string
	}{
		"a path":            {"stt", map[string]any{"audio": "recordings/hello.wav"}, "opens no files"},
		"an absolute path":  {"stt", map[string]any{"audio": "/etc/passwd0"}, "opens no files"},
		"path by its name":  {"pronunciation", map[string]any{"audio_path": "x", "reference_text": "y"}, "opens no files"},
		"no audio":          {"stt", nil, "params.audio is missing"},
		"audio as a list":   {"stt", map[string]any{"audio": []any{1, 2}}, "base64"},
		"no text":           {"grammar", nil, "text"},
		"another task":      {"chat", map[string]any{"text": "x", "task": "grammar"}, "params.task"},
		"misspelt":          {"chat", map[string]any{"text": "x", "sistem_prompt": "y"}, "sistem_prompt"},
		"messages as text":  {"chat", map[string]any{"messages": "x"}, `task "chat": unexpected token "x"`},
		"an unknown role":   {"chat", map[string]any{"messages": []any{map[string]any{"role": "king", "content": "x"}}}, "king"},
		"MP3":               {"tts", map[string]any{"text": "x", "format": "mp3"}, "wav or pcm"},
		"routing in params": {"chat", map[string]any{"text": "x", "routing": map[string]any{"local_only": true}}, "beside params"},
	}
	for name, c := range cases {
		_, err := execute(t, service(t, &scripted{}), c.task, c.params)
		if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The keys of each task's data: the typed fields, and the Python gateway's names.
func TestAnswers(t *testing.T) {
	sound := base64.StdEncoding.EncodeToString(make([]byte, 100))
	transcript := &gatewayv1.Transcript{
		Text: "Hello", Language: "en", AudioDuration: durationpb.New(5200 * time.Millisecond),
		Segments: []*gatewayv1.TranscriptSegment{{Text: "Hello", End: durationpb.New(1500 * time.Millisecond), Confidence: 0.9}},
	}
	cases := map[string]struct {
		params  map[string]any
		answers []*enginev1.RunResponse
		want    map[string]any
	}{
		"chat": {map[string]any{"text": "Hi"}, []*enginev1.RunResponse{
			{Payload: &enginev1.RunResponse_Chat{Chat: &gatewayv1.StreamChatResponse{Delta: "Hello"}}},
			{Payload: &enginev1.RunResponse_Chat{Chat: &gatewayv1.StreamChatResponse{
				FinishReason: gatewayv1.FinishReason_FINISH_REASON_STOP, Usage: &gatewayv1.Usage{PromptTokenCount: 3},
			}}},
		}, map[string]any{
			"text": "Hello", "response": "Hello", "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": "Hello", "reasoning": "", "tool_call_id": "", "tool_calls": []any{}},
			"logprobs": []any{}, "alternatives": []any{},
			"usage": map[string]any{"prompt_token_count": 3.0, "cached_prompt_token_count": 0.0, "completion_token_count": 0.0, "reasoning_token_count": 0.0},
		}},
		"grammar": {map[string]any{"text": "I goes"}, []*enginev1.RunResponse{{Payload: &enginev1.RunResponse_Grammar{Grammar: &gatewayv1.GrammarResponse{
			CorrectedText: "I go", Score: 50, Edits: []*gatewayv1.GrammarEdit{{
				StartOffset: 2, EndOffset: 6, Original: "goes", Replacement: "go", Explanation: "why",
				ErrorType: gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_AGREEMENT,
			}},
		}}}}, map[string]any{
			"text": "I go", "corrected_text": "I go", "score": 50.0, "grammar_score": 0.5,
			"errors": []any{map[string]any{"span": "goes", "correction": "go", "type": "grammar", "explanation": "why"}},
			"edits": []any{map[string]any{
				"start_offset": 2.0, "end_offset": 6.0, "original": "goes", "replacement": "go", "error_type": "agreement", "explanation": "why",
			}},
		}},
		"response": {map[string]any{"text": "Hi"}, []*enginev1.RunResponse{
			{Payload: &enginev1.RunResponse_Respond{Respond: &gatewayv1.RespondResponse{Text: "Hello"}}},
		}, map[string]any{"text": "Hello", "response": "Hello", "finish_reason": ""}},
		"explain_vi": {map[string]any{"text": "Hi"}, []*enginev1.RunResponse{
			{Payload: &enginev1.RunResponse_ExplainVietnamese{ExplainVietnamese: &gatewayv1.ExplainVietnameseResponse{Explanation: "Xin chào"}}},
		}, map[string]any{"text": "Xin chào", "explanation": "Xin chào", "finish_reason": ""}},
		"stt": {map[string]any{"audio": sound}, []*enginev1.RunResponse{{Payload: &enginev1.RunResponse_Transcribe{Transcribe: &gatewayv1.TranscriptionEvent{
			Event: &gatewayv1.TranscriptionEvent_Final{Final: transcript},
		}}}}, map[string]any{
			"text": "Hello", "language": "en", "language_confidence": 0.0, "uncertain": false, "duration": 5.2, "audio_duration": 5.2, "confidence": 0.9,
			"segments": []any{map[string]any{"text": "Hello", "end": 1.5, "words": []any{}, "confidence": 0.9}},
		}},
		"tts": {map[string]any{"text": "Hi", "format": "pcm"}, []*enginev1.RunResponse{{Payload: &enginev1.RunResponse_Synthesize{Synthesize: &gatewayv1.SynthesizeResponse{
			Audio: []byte{1, 2, 3, 4}, SampleRateHertz: 8,
		}}}}, map[string]any{"audio": "AQIDBA==", "format": "pcm", "sample_rate": 8.0, "duration": 0.25}},
		"pronunciation": {map[string]any{"audio": sound, "reference_text": "Hi"}, []*enginev1.RunResponse{{Payload: &enginev1.RunResponse_Pronunciation{Pronunciation: &gatewayv1.PronunciationResponse{
			OverallScore: 85, Words: []*gatewayv1.PronouncedWord{{
				Text: "Hi", Score: 90, ErrorType: gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_NONE,
				Units: []*gatewayv1.PronouncedUnit{{Symbol: "H", Score: 90}},
			}},
		}}}}, map[string]any{
			"overall_score": 85.0, "accuracy_score": 0.0, "fluency_score": 0.0, "completeness_score": 0.0, "unit": "", "estimated": false,
			"pronunciation_score": 0.85, "word_scores": []any{map[string]any{"word": "Hi", "score": 0.9, "phonemes": []any{"H"}}},
			"words": []any{map[string]any{
				"text": "Hi", "score": 90.0, "error_type": "none", "units": []any{map[string]any{"symbol": "H", "score": 90.0, "heard": ""}},
			}},
		}},
	}
	for task, c := range cases {
		t.Run(task, func(t *testing.T) {
			got, err := execute(t, service(t, &scripted{answers: c.answers}), task, c.params)
			if err != nil {
				t.Fatal(err)
			}
			want, err := structpb.NewStruct(c.want)
			if err != nil {
				t.Fatal(err)
			}
			if have, _ := structpb.NewStruct(got); !proto.Equal(have, want) {
				t.Errorf("got  %v\nwant %v", have, want)
			}
		})
	}
}

func TestSpeechIsAWAVFile(t *testing.T) {
	s := &scripted{answers: []*enginev1.RunResponse{
		{Payload: &enginev1.RunResponse_Synthesize{Synthesize: &gatewayv1.SynthesizeResponse{Audio: []byte{1, 0}, SampleRateHertz: 22050}}},
		{Payload: &enginev1.RunResponse_Synthesize{Synthesize: &gatewayv1.SynthesizeResponse{Audio: []byte{2, 0}}}},
	}}
	data, err := execute(t, service(t, s), "tts", map[string]any{"text": "Hi"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := data["audio"].(string)
	file, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(file) != 48 || string(file[:4]) != "RIFF" || string(file[44:]) != "\x01\x00\x02\x00" || data["sample_rate"] != 22050.0 || data["format"] != "wav" {
		t.Errorf("%v, %q", err, file)
	}
}

func TestInvokeFindsTheTask(t *testing.T) {
	cases := map[string]struct {
		model, method string
		params        map[string]any
		task          string
	}{
		"the documented call": {"qwen", "invoke", map[string]any{"task": "chat", "text": "Hello"}, "chat"},
		"by alias":            {"qwen", "invoke", map[string]any{"task": "vietnamese", "text": "Hello"}, "explain_vietnamese"},
		"what qwen is for":    {"qwen", "invoke", map[string]any{"text": "Hello"}, "chat"},
		"what whisper is for": {"whisper", "invoke", map[string]any{"audio": "AAAA"}, "transcribe"},
		"a method":            {"qwen", "analyze_grammar", map[string]any{"text": "Hello"}, "grammar"},
		"its argument's name": {"qwen", "explain_vietnamese", map[string]any{"english_text": "Hello"}, "explain_vietnamese"},
		"the engine's own":    {"qwen", "juggle", map[string]any{"task": "x"}, "invoke"},
		"an unknown model's":  {"missing", "invoke", nil, "invoke"},
	}
	for name, c := range cases {
		s := &scripted{}
		params, err := structpb.NewStruct(c.params)
		if err != nil {
			t.Fatal(err)
		}
		_, err = service(t, s).Invoke(t.Context(), &gatewayv1.InvokeRequest{ModelName: c.model, Method: c.method, Params: params})
		if errs.ReasonOf(err) == errs.InvalidRequest || s.asked.Task != c.task || s.asked.Model != c.model || !s.asked.Routing.GetNoFallback() {
			t.Errorf("%s: %v, %v", name, s.asked, err)
		}
		if c.task == "invoke" && !proto.Equal(s.asked.First.GetInvoke().GetParams(), params) {
			t.Errorf("%s: %v", name, s.asked.First)
		}
	}
}

// A task that the configuration adds calls the engine's method; its parameters are
// not converted.
func TestTasksOfTheConfigurationAreNotConverted(t *testing.T) {
	s := &scripted{answers: []*enginev1.RunResponse{{Payload: &enginev1.RunResponse_Invoke{Invoke: &structpb.Struct{}}}}}
	if _, err := execute(t, service(t, s), "translate", map[string]any{"task": "x"}); err != nil {
		t.Fatal(err)
	}
	call := s.asked.First.GetInvoke()
	if s.asked.Task != "translate" || call.GetMethod() != "do_translate" || call.GetParams().AsMap()["task"] != "x" {
		t.Errorf("asked %v", s.asked)
	}
}

func TestUnknownTasks(t *testing.T) {
	for _, task := range []string{"juggle", "invoke", "pronunciation"} {
		s := &scripted{noPronunciation: true}
		if _, err := execute(t, service(t, s), task, nil); errs.ReasonOf(err) != errs.TaskUnknown || s.asked.First != nil {
			t.Errorf("%s ended with %v", task, err)
		}
	}
}

// The routing beside the parameters reaches the router, also where the request has
// it in its config.
func TestRoutingOfUntypedCalls(t *testing.T) {
	params, err := structpb.NewStruct(map[string]any{"audio": "AAAA", "language": "en"})
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{}
	_, _ = service(t, s).ExecuteTask(t.Context(), &gatewayv1.ExecuteTaskRequest{
		TaskType: "stt", Params: params, Routing: &gatewayv1.Routing{LocalOnly: true},
	})
	if !s.asked.Routing.GetLocalOnly() || s.asked.First.GetTranscribe().GetLanguage() != "en" {
		t.Errorf("asked %v", s.asked)
	}
}
