package gemini_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	"github.com/lexilingo/modelgateway/engines/tutor"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestChatStreams(t *testing.T) {
	server, m := open(t)
	server.Answer(geminitest.Text("Xin ", "chào, ", "bạn!"))
	var deltas []string
	var last *gatewayv1.StreamChatResponse
	err := m.Chat(t.Context(), &gatewayv1.ChatRequest{
		Messages: []*gatewayv1.ChatMessage{
			{Role: gatewayv1.Role_ROLE_SYSTEM, Content: "Be kind."},
			{Role: gatewayv1.Role_ROLE_USER, Content: "Hi"},
			{Role: gatewayv1.Role_ROLE_ASSISTANT, Content: "Hello"},
			{Role: gatewayv1.Role_ROLE_ASSISTANT, Content: ""},
			{Role: gatewayv1.Role_ROLE_SYSTEM, Content: "Be brief."},
			{Role: gatewayv1.Role_ROLE_USER, Content: "Say it in Vietnamese"},
		},
		Sampling: &gatewayv1.SamplingOptions{
			Temperature: proto.Float32(0.5), TopP: proto.Float32(0.9), TopK: proto.Int32(40), Seed: proto.Uint32(1 << 31),
			MinP: proto.Float32(0.1), RepeatPenalty: proto.Float32(1.1), PresencePenalty: proto.Float32(1.5),
			MaxTokens: proto.Int32(77), Stop: []string{"END"},
		},
	}, func(r *gatewayv1.StreamChatResponse) error {
		deltas = append(deltas, r.GetDelta())
		last = r
		return nil
	})
	if err != nil || !reflect.DeepEqual(deltas, []string{"Xin ", "chào, ", "bạn!", ""}) {
		t.Fatalf("%q, %v", deltas, err)
	}
	if last.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_STOP ||
		last.GetUsage().GetPromptTokenCount() != 11 || last.GetUsage().GetCompletionTokenCount() != 7 {
		t.Errorf("the end is %v", last)
	}
	r := server.Last()
	roles := ""
	for _, c := range r.Body.Contents {
		roles += c.Role + " "
	}
	if !r.Stream || r.Model != "gemini-3.8-flash" || r.System() != "Be kind.\nBe brief." || roles != "user model user " {
		t.Errorf("asked model %s, stream %v, system %q, roles %s", r.Model, r.Stream, r.System(), roles)
	}
	want := map[string]any{
		"temperature": 0.5, "topP": 0.9, "topK": 40.0, "seed": 0.0, "maxOutputTokens": 77.0,
		"stopSequences": []any{"END"}, "thinkingConfig": map[string]any{"thinkingLevel": "MINIMAL"},
	}
	for key, value := range r.Body.GenerationConfig {
		if f, ok := value.(float64); ok { // sent as float32
			value = float64(int(f*1000+0.5)) / 1000
		}
		if !reflect.DeepEqual(value, want[key]) {
			t.Errorf("option %s is %v, not %v", key, value, want[key])
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("not sent: %v", want)
	}
}

func TestChatEnds(t *testing.T) {
	server, m := open(t)
	for name, c := range map[string]struct {
		answer geminitest.Answer
		text   string
		finish gatewayv1.FinishReason
	}{
		"length":               {geminitest.TextEnding("MAX_TOKENS", "cut", " off"), "cut off", gatewayv1.FinishReason_FINISH_REASON_LENGTH},
		"length, all thought":  {geminitest.Empty("MAX_TOKENS"), "", gatewayv1.FinishReason_FINISH_REASON_LENGTH},
		"safety in the middle": {geminitest.TextEnding("SAFETY", "well, "), "well, ", gatewayv1.FinishReason_FINISH_REASON_SAFETY},
		"prohibited":           {geminitest.Empty("PROHIBITED_CONTENT"), "", gatewayv1.FinishReason_FINISH_REASON_SAFETY},
		"prompt blocked":       {geminitest.Blocked("SAFETY"), "", gatewayv1.FinishReason_FINISH_REASON_SAFETY},
		"thoughts":             {geminitest.Thoughts("what could it be?", "It is."), "It is.", gatewayv1.FinishReason_FINISH_REASON_STOP},
	} {
		server.Answer(c.answer)
		text, last, err := chat(t.Context(), m, say("x"))
		if err != nil || text != c.text || last.GetFinishReason() != c.finish {
			t.Errorf("%s: %q, %v, %v", name, text, last, err)
		}
		if name == "thoughts" && last.GetUsage().GetCompletionTokenCount() != 12 {
			t.Errorf("thoughts are not counted: %v", last.GetUsage())
		}
	}
}

func TestChatThinksOnRequest(t *testing.T) {
	server, m := open(t)
	req := say("x")
	req.Thinking = true
	if _, _, err := chat(t.Context(), m, req); err != nil {
		t.Fatal(err)
	}
	if config := server.Last().Body.GenerationConfig["thinkingConfig"]; !reflect.DeepEqual(config, map[string]any{"includeThoughts": true}) {
		t.Errorf("thinking is limited to %v", config)
	}
}

func TestChatRefusesInvalidRequests(t *testing.T) {
	server, m := open(t)
	many := say("x")
	many.Sampling = &gatewayv1.SamplingOptions{Stop: strings.Fields("a b c d e f")}
	for name, req := range map[string]*gatewayv1.ChatRequest{
		"nothing": {}, "blank": say(" \n"), "too many stops": many,
		"system alone": {Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_SYSTEM, Content: "x"}}},
	} {
		if _, _, err := chat(t.Context(), m, req); errs.ReasonOf(err) != errs.InvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(server.Requests())+server.Refused() != 0 {
		t.Error("an invalid request was sent to the API")
	}
}

func TestGrammarComputesItsOwnOffsets(t *testing.T) {
	server, m := open(t)
	corrected, err := json.Marshal(map[string]any{
		"corrected": "She goes to school.",
		"notes":     []any{map[string]any{"wrong": "go", "right": "goes", "type": "AGREEMENT", "explanation": "Với \"she\", động từ là \"goes\"."}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Answer(geminitest.Text(string(corrected)))
	req := &gatewayv1.GrammarRequest{
		Text: "  She go to school.", ExplanationLanguage: gatewayv1.ExplanationLanguage_EXPLANATION_LANGUAGE_VIETNAMESE,
	}
	resp, err := m.Grammar(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.GetCorrectedText() != "  She goes to school." || len(resp.GetEdits()) != 1 || resp.GetUsage().GetPromptTokenCount() != 11 {
		t.Fatalf("%v", resp)
	}
	edit := resp.GetEdits()[0]
	if edit.GetStartOffset() != 6 || edit.GetEndOffset() != 8 || edit.GetReplacement() != "goes" ||
		edit.GetErrorType() != gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_AGREEMENT || !strings.Contains(edit.GetExplanation(), "động từ") {
		t.Errorf("%v", edit)
	}
	r := server.Last()
	if r.System() != tutor.GrammarPromptVietnamese || r.Schema() == nil || r.Body.GenerationConfig["temperature"] != 0.0 {
		t.Errorf("asked with %v", r.Body.GenerationConfig)
	}
	if blank, err := m.Grammar(t.Context(), &gatewayv1.GrammarRequest{Text: " "}); err != nil || blank.GetScore() != 100 || len(server.Requests()) != 1 {
		t.Errorf("a blank text: %v, %v", blank, err)
	}
}

// TestGrammarOfPhones checks that the model sees plain punctuation, and that the edits
// are those of the text.
func TestGrammarOfPhones(t *testing.T) {
	server, m := open(t)
	server.Answer(geminitest.Text(`{"corrected":"She doesn't go, today.","notes":[]}`))
	resp, err := m.Grammar(t.Context(), &gatewayv1.GrammarRequest{Text: "She don’t go… today 😀."})
	if err != nil || resp.GetCorrectedText() != "She doesn’t go… today 😀." || len(resp.GetEdits()) != 1 || resp.GetEdits()[0].GetStartOffset() != 4 {
		t.Errorf("%v, %v", resp, err)
	}
	if got := server.Last().LastText(); got != "She don't go, today." {
		t.Errorf("the model sees %q", got)
	}
}

// TestDecomposedText checks that Gemini gets texts in NFC.
func TestDecomposedText(t *testing.T) {
	server, m := open(t)
	const system, user = "Bạn là giáo viên.", "Nguyễn thích cà phê."
	server.Answer(geminitest.Text("Chào."))
	err := m.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{
		{Role: gatewayv1.Role_ROLE_SYSTEM, Content: norm.NFD.String(system)}, {Role: gatewayv1.Role_ROLE_USER, Content: norm.NFD.String(user)},
	}}, func(*gatewayv1.StreamChatResponse) error { return nil })
	if r := server.Last(); err != nil || r.System() != system || r.LastText() != user {
		t.Errorf("asked with %q and %q: %v", r.System(), r.LastText(), err)
	}
	// The answer is no sound; the request is what counts.
	_ = m.Synthesize(t.Context(), &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: norm.NFD.String(user)}},
		func(*gatewayv1.SynthesizeResponse) error { return nil })
	if got := server.Last().LastText(); !strings.HasSuffix(got, user) {
		t.Errorf("asked to speak %q", got)
	}
	server.Answer(geminitest.Text(`{"language": "vi", "segments": []}`))
	cfg := &gatewayv1.TranscriptionConfig{InitialPrompt: norm.NFD.String(user)}
	_, _, err = transcribe(t.Context(), m, cfg, geminitest.WAV(16000, geminitest.Tone(16000, 1)))
	if got := server.Last().LastText(); err != nil || !strings.Contains(got, user) {
		t.Errorf("asked to transcribe with %q: %v", got, err)
	}
}

func TestGrammarRefusesIncompleteAnswers(t *testing.T) {
	server, m := open(t)
	for name, c := range map[string]struct {
		answer geminitest.Answer
		reason errs.Reason
	}{
		"cut off":      {geminitest.TextEnding("MAX_TOKENS", `{"corrected": "a`), errs.InvalidRequest},
		"refused":      {geminitest.Blocked("PROHIBITED_CONTENT"), errs.InvalidRequest},
		"no JSON":      {geminitest.Text("Sure! Here it is."), errs.Internal},
		"empty":        {geminitest.Empty("STOP"), errs.EngineCrashed},
		"no candidate": {geminitest.NoCandidates(), errs.EngineCrashed},
		"other":        {geminitest.TextEnding("OTHER", `{"corrected": "a", "notes": []}`), errs.EngineCrashed},
	} {
		server.Answer(c.answer)
		if resp, err := m.Grammar(t.Context(), &gatewayv1.GrammarRequest{Text: "a"}); errs.ReasonOf(err) != c.reason {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
}

func TestRespondAndExplain(t *testing.T) {
	server, m := open(t)
	server.Answer(geminitest.Text(" Chào bạn. "))
	respond, err := m.Respond(t.Context(), &gatewayv1.RespondRequest{Text: "Hi", Level: "A2"})
	if err != nil || respond.GetText() != "Chào bạn." || respond.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_STOP || respond.GetUsage() == nil {
		t.Errorf("%v, %v", respond, err)
	}
	if system := server.Last().System(); !strings.Contains(system, tutor.RespondPrompt) || !strings.Contains(system, "A2") {
		t.Errorf("the system instruction is %q", system)
	}
	explain, err := m.ExplainVietnamese(t.Context(), &gatewayv1.ExplainVietnameseRequest{Text: "look up"})
	if err != nil || explain.GetExplanation() != "Chào bạn." || server.Last().System() != tutor.ExplainPrompt {
		t.Errorf("%v, %v", explain, err)
	}
	server.Answer(geminitest.TextEnding("SAFETY", "half"))
	if respond, err = m.Respond(t.Context(), &gatewayv1.RespondRequest{Text: "Hi"}); err != nil || respond.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_SAFETY {
		t.Errorf("%v, %v", respond, err)
	}
	server.Answer(geminitest.Blocked("SAFETY"))
	if _, err = m.ExplainVietnamese(t.Context(), &gatewayv1.ExplainVietnameseRequest{Text: "x"}); errs.ReasonOf(err) != errs.InvalidRequest || errs.From(err).Metadata()["safety"] != "SAFETY" {
		t.Errorf("%v", err)
	}
}

func TestParametersReachTheAPI(t *testing.T) {
	server := geminitest.New(t)
	m, err := loadWith(t, account(server), map[string]any{
		"model": "gemini-9-pro", "max_tokens": 99, "thinking_level": "",
		"safety": map[string]any{"harassment": "block_only_high", "dangerous_content": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := chat(t.Context(), m, say("x")); err != nil {
		t.Fatal(err)
	}
	r := server.Last()
	want := []map[string]any{
		{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "threshold": "OFF"},
		{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"},
	}
	if r.Model != "gemini-9-pro" || r.Body.GenerationConfig["maxOutputTokens"] != 99.0 ||
		r.Body.GenerationConfig["thinkingConfig"] != nil || !reflect.DeepEqual(r.Body.SafetySettings, want) {
		t.Errorf("%s, %v, %v", r.Model, r.Body.GenerationConfig, r.Body.SafetySettings)
	}
}
