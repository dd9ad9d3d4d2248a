package gemini

import (
	"context"
	"strings"

	"golang.org/x/sync/semaphore"
	"golang.org/x/text/unicode/norm"
	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/tutor"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// model uses two of Gemini's models, one for text and one for speech.
type model struct {
	parameters parameters
	client     *client
	sounds     *semaphore.Weighted // bytes of samples in running requests
	signatures signatures
}

var (
	_ engines.Model               = (*model)(nil)
	_ engines.Chatter             = (*model)(nil)
	_ engines.GrammarChecker      = (*model)(nil)
	_ engines.Responder           = (*model)(nil)
	_ engines.VietnameseExplainer = (*model)(nil)
	_ engines.Transcriber         = (*model)(nil)
	_ engines.Synthesizer         = (*model)(nil)
	_ engines.PronunciationScorer = (*model)(nil)
)

const (
	// maxStops is the API's limit on the number of stop strings.
	maxStops = 5
	// thoughtTokens is added to max_tokens for thoughts if the length of the
	// answer is known.
	thoughtTokens = 1024
)

// Description implements engines.Model.
func (m *model) Description() string {
	return m.parameters.Model + ", speech " + m.parameters.SpeechModel + ", in the cloud"
}

// Close implements engines.Model.
func (m *model) Close() error {
	m.client.close()
	return nil
}

// Grammar implements engines.GrammarChecker.
func (m *model) Grammar(ctx context.Context, req *gatewayv1.GrammarRequest) (*gatewayv1.GrammarResponse, error) {
	if trivial := tutor.TrivialGrammar(req); trivial != nil {
		return trivial, nil
	}
	plain := tutor.PlainGrammar(req)
	contents, config, err := m.conversation(tutor.GrammarMessages(plain), tutor.GrammarSampling(plain), false)
	if err != nil {
		return nil, err
	}
	if req.GetSampling().GetMaxTokens() == 0 {
		config.MaxOutputTokens += thoughtTokens
	}
	requireSchema(config, tutor.GrammarSchema(plain))
	a, err := m.client.generate(ctx, m.parameters.Model, contents, config, maxTextAnswer)
	if err != nil {
		return nil, err
	}
	if err := a.complete(); err != nil {
		return nil, err
	}
	resp, err := tutor.ParseGrammar(req, a.text.String())
	if err != nil {
		return nil, err
	}
	resp.Usage = a.usage
	return resp, nil
}

// Respond implements engines.Responder.
func (m *model) Respond(ctx context.Context, req *gatewayv1.RespondRequest) (*gatewayv1.RespondResponse, error) {
	text, finish, usage, err := m.reply(ctx, tutor.RespondMessages(tutor.PlainRespond(req)), req.GetSampling())
	if err != nil {
		return nil, err
	}
	return &gatewayv1.RespondResponse{Text: text, FinishReason: finish, Usage: usage}, nil
}

// ExplainVietnamese implements engines.VietnameseExplainer.
func (m *model) ExplainVietnamese(ctx context.Context, req *gatewayv1.ExplainVietnameseRequest) (*gatewayv1.ExplainVietnameseResponse, error) {
	text, finish, usage, err := m.reply(ctx, tutor.ExplainMessages(tutor.PlainExplain(req)), req.GetSampling())
	if err != nil {
		return nil, err
	}
	return &gatewayv1.ExplainVietnameseResponse{Explanation: text, FinishReason: finish, Usage: usage}, nil
}

// reply returns a whole answer. If a safety filter withheld all of it, that is an
// error; if the filter ended the answer early, its beginning is returned.
func (m *model) reply(ctx context.Context, messages []*gatewayv1.ChatMessage, sampling *gatewayv1.SamplingOptions) (string, gatewayv1.FinishReason, *gatewayv1.Usage, error) {
	contents, config, err := m.conversation(messages, sampling, false)
	if err != nil {
		return "", 0, nil, err
	}
	a, err := m.client.generate(ctx, m.parameters.Model, contents, config, maxTextAnswer)
	if err != nil {
		return "", 0, nil, err
	}
	finish, err := a.finishReason()
	text := strings.TrimSpace(a.text.String())
	if err == nil && finish == finishSafety && text == "" {
		err = a.refusal()
	}
	return text, finish, a.usage, err
}

// conversation converts messages and options to the API's types. System messages
// become one system instruction. Empty messages are left out, because the API
// refuses them.
func (m *model) conversation(messages []*gatewayv1.ChatMessage, sampling *gatewayv1.SamplingOptions, thinking bool) ([]*genai.Content, *genai.GenerateContentConfig, error) {
	var system []string
	var contents []*genai.Content
	var open []*gatewayv1.ToolCall // calls without an answer
	for _, msg := range messages {
		text := norm.NFC.String(msg.GetContent())
		blank := strings.TrimSpace(text) == ""
		switch msg.GetRole() {
		case gatewayv1.Role_ROLE_SYSTEM:
			if !blank {
				system = append(system, text)
			}
			continue
		case gatewayv1.Role_ROLE_TOOL:
			var part *genai.Part
			part, open = functionResponse(msg, open)
			contents = appendParts(contents, genai.RoleUser, part)
			continue
		}
		if blank && len(msg.GetToolCalls()) == 0 {
			continue
		}
		open = append(open, msg.GetToolCalls()...)
		if msg.GetRole() == gatewayv1.Role_ROLE_ASSISTANT {
			contents = append(contents, m.modelContent(text, msg.GetToolCalls()))
		} else {
			contents = append(contents, genai.NewContentFromText(text, genai.RoleUser))
		}
	}
	if len(contents) == 0 {
		return nil, nil, errs.New(errs.InvalidRequest, "the conversation has no message to answer: send a user message that is not empty")
	}
	config, err := m.config(sampling, thinking)
	if err != nil {
		return nil, nil, err
	}
	if len(system) > 0 {
		config.SystemInstruction = &genai.Content{Parts: []*genai.Part{{Text: strings.Join(system, "\n")}}}
	}
	return contents, config, nil
}

// config converts the sampling options. The API has no min_p and repeat_penalty,
// and its newer models refuse presence_penalty and frequency_penalty. These options
// are ignored, so that a request for a local model can fall back to Gemini.
func (m *model) config(s *gatewayv1.SamplingOptions, thinking bool) (*genai.GenerateContentConfig, error) {
	if len(s.GetStop()) > maxStops {
		return nil, errs.New(errs.InvalidRequest, "the request has %d stop strings: Gemini accepts at most %d", len(s.GetStop()), maxStops)
	}
	config := &genai.GenerateContentConfig{
		MaxOutputTokens: int32(m.parameters.MaxTokens), //nolint:gosec // checked by readParameters
		StopSequences:   s.GetStop(),
		SafetySettings:  m.parameters.safetySettings(),
	}
	if s != nil {
		config.Temperature, config.TopP = s.Temperature, s.TopP
	}
	if s.GetTopK() > 0 {
		config.TopK = genai.Ptr(float32(s.GetTopK()))
	}
	if s != nil && s.Seed != nil {
		config.Seed = genai.Ptr(int32(s.GetSeed() & 0x7fffffff)) //nolint:gosec // the API's seed is signed
	}
	if s.GetMaxTokens() > 0 {
		config.MaxOutputTokens = s.GetMaxTokens()
	}
	if level := m.parameters.ThinkingLevel; level != "" && !thinking {
		config.ThinkingConfig = &genai.ThinkingConfig{ThinkingLevel: genai.ThinkingLevel(strings.ToUpper(level))}
	}
	return config, nil
}

// requireSchema makes the API answer with JSON of the schema.
func requireSchema(config *genai.GenerateContentConfig, schema map[string]any) {
	config.ResponseMIMEType = "application/json"
	config.ResponseJsonSchema = schema
}
